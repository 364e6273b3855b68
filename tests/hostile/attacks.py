"""The table: what each hostile contribution does. One module each, written out by ``stage``.

Words in capitals between at-signs are filled in. ``attempt`` prints whether something that must
not be possible was. Attacks act while they are imported unless they are marked ``in_hook``; that
needs no torch, so most take a second.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PRELUDE = '''\
import os, sys, time
from harness import hookimpl

def attempt(what, action):
    """Print whether it was possible."""
    try:
        got = action()
    except BaseException as error:
        print(f"refused: {what}: {type(error).__name__}: {error}", flush=True)
    else:
        print(f"POSSIBLE: {what}: {str(got)[:200]}", flush=True)

def read(path):
    with open(path, "rb") as file:
        return file.read(100_000)

def write(path):
    with open(path, "w") as file:
        file.write("hostile")
    return path

def syscall(number, *arguments):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

'''
OVER = '\nraise RuntimeError("the attack is over")\n'


@dataclass(frozen=True)
class Attack:
    """One hostile contribution.

    Args:
        does: What it tries, in a few words.
        code: The body of its main.py.
        ends: How its run has to end, as "status kind".
        or_ends: Another end that is as right, where two guards race for the same attack.
        limits: Changes to the usual limits, so that reaching them takes a moment.
        hooks: Which hooks it declares.
        slow: Left to ``nox -s hostile``.
    """

    does: str
    code: str
    ends: str = "failed PluginError"
    limits: dict[str, float] = field(default_factory=dict)
    hooks: tuple[str, ...] = ("make_lora",)
    slow: bool = False
    or_ends: str = ""

    def ended_well(self, ending: str) -> bool:
        """Whether a run with this attack may end so."""
        return ending in {self.ends, self.or_ends}


def tries(*attempts: tuple[str, str]) -> str:
    """Return code that makes several attempts; each is (what, expression)."""
    return "".join(f"attempt({what!r}, lambda: {how})\n" for what, how in attempts) + OVER


RESOURCES = {
    "LoopsAtImport": Attack(
        "loops for ever at import",
        "while True: pass",
        "timeout WorkerTimeout",
        {"wall_s": 4},
    ),
    "LoopsInADestructor": Attack(
        "loops for ever in a destructor",
        "class A:\n    def __del__(self):\n        while True: pass\nA()",
        "timeout WorkerTimeout",
        {"wall_s": 4},
    ),
    "BurnsProcessorTime": Attack(
        "burns processor time in child processes",
        "for _ in range(2): os.fork()\nwhile True: pass",
        "timeout WorkerCpuTime",
        {"cpu_s": 3},
    ),
    "StopsItself": Attack(
        "ignores every signal and stops itself",
        "import signal\nfor s in (1, 2, 3, 15): signal.signal(s, signal.SIG_IGN)\n"
        "os.kill(os.getpid(), signal.SIGSTOP)",
        "timeout WorkerTimeout",
        {"wall_s": 4},
    ),
    "ForkBomb": Attack(
        "forks without end",
        "while True:\n    try: os.fork()\n    except OSError: pass",
        "limit WorkerProcesses",
    ),
    "ThreadBomb": Attack(
        "starts threads without end",
        "import threading\nwhile True:\n"
        "    try: threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
        "    except RuntimeError: time.sleep(0.1)",
        "limit WorkerProcesses",
        {"threads": 200},
    ),
    "MemoryHog": Attack(
        "keeps taking memory",
        "kept = []\nwhile True:\n    kept.append(bytearray(b'x') * (8 << 20)); time.sleep(0.01)",
        "oom WorkerMemory",
        {"memory_bytes": 400 << 20},
    ),
    "MemoryHogInChildren": Attack(
        "takes memory in several processes, each below the limit",
        "for _ in range(2): os.fork()\nkept = bytearray(b'x') * (150 << 20)\ntime.sleep(600)",
        "oom WorkerMemory",
        {"memory_bytes": 400 << 20},
    ),
    "TakesAPebibyte": Attack("asks for a pebibyte at once", "bytearray(1 << 50)"),
    "FillsTheDisk": Attack(
        "fills the disk with many files",
        "n = 0\nwhile True:\n    n += 1\n    with open(f'../{n}', 'wb') as f: f.write(b'x' * 1000000)",
        "limit WorkerDisk",
        {"disk_bytes": 60 << 20},
    ),
    "WritesOneHugeFile": Attack(
        "writes one huge file",
        "f = open('../huge', 'wb', buffering=0)\n"
        "try:\n    while True: f.write(b'x' * 1000000)\n"
        "finally: os.truncate('../huge', 0)",
        "failed PluginError",  # the kernel refuses the write that passes the limit
        {"disk_bytes": 60 << 20},
        or_ends="limit WorkerDisk",  # or the hub looks just before the file is cut again
    ),
    "ManyEmptyFiles": Attack(
        "makes a million empty files",
        "for n in range(1000000): open(f'../{n}', 'w').close()",
        "limit WorkerDisk",
        {"files": 500},
    ),
    "DeepFolders": Attack(
        "nests folders deeper than any path",
        "for n in range(3000): os.mkdir('d'); os.chdir('d')\nos.chmod('.', 0); time.sleep(600)",
        "limit WorkerDisk",
    ),
    "FillsTheDiskDeepDown": Attack(
        "fills the disk forty folders deep, below what is counted",
        "for n in range(40): os.mkdir('d'); os.chdir('d')\n"
        "while True:\n    with open('f', 'ab') as f: f.write(b'x' * 1000000)\n    time.sleep(0.01)",
        "limit WorkerDisk",
        {"disk_bytes": 60 << 20},
    ),
    "FillsTheDiskNamelessly": Attack(
        "fills the disk with open files that have no name any more",
        "kept = []\nwhile True:\n    kept.append(open('../f', 'wb')); os.remove('../f')\n"
        "    kept[-1].write(b'x' * 10000000); kept[-1].flush(); time.sleep(0.05)",
        "limit WorkerDisk",
        {"disk_bytes": 60 << 20},
    ),
    "MemoryHogTheyShare": Attack(
        "takes memory that its processes share, each two of them another piece",
        "import mmap\n"
        "for n in range(5):\n"
        "    piece = mmap.mmap(-1, 100 << 20); piece.write(b'x' * (100 << 20))\n"
        "    if os.fork() == 0: time.sleep(600)\n"
        "    del piece\n"
        "time.sleep(600)",
        "oom WorkerMemory",
        {"memory_bytes": 450 << 20},
    ),
    "LogFlood": Attack(
        "prints a gigabyte",
        "line = 'x' * 1000000\nfor n in range(1000): print(line)" + OVER,
        "limit WorkerOutput",
        {"output_bytes": 8 << 20},
    ),
    "LogFloodWithoutLimit": Attack(
        "prints a gigabyte, which is allowed: what is kept?",
        "line = 'x' * 1000000\nfor n in range(1000): print(line)" + OVER,
        limits={"output_bytes": 2 << 30},
        slow=True,
    ),
}

ENDINGS = {
    "ExitsWithZero": Attack(
        "calls os._exit(0), as if all were well", "os._exit(0)", "crashed WorkerCrash"
    ),
    "PretendsSuccess": Attack("calls sys.exit(0)", "sys.exit(0)", "crashed WorkerCrash"),
    "Segfaults": Attack(
        "reads address 0", "import ctypes\nctypes.string_at(0)", "crashed WorkerCrash"
    ),
    "Aborts": Attack("calls abort()", "os.abort()", "crashed WorkerCrash"),
    "ClosesItsOutputs": Attack(
        "closes its outputs and everything else that is open",
        "os.closerange(0, 100)" + OVER,
        "crashed WorkerCrash",
    ),
    "WaitsForInput": Attack("waits for input", "input()"),
    "ForgesAnAnswer": Attack(
        "writes an answer of its own and leaves",
        "open('../answer.json', 'w').write('{\"seeds\": []}')\nos._exit(0)",
        "ok ",
    ),
    "HugeMessage": Attack("raises 5 MB of text", "raise RuntimeError('x' * 5_000_000)"),
    "SilentMessage": Attack(
        "raises what cannot be printed",
        "class E(Exception):\n    def __str__(self): raise ValueError('no')\nraise E",
    ),
    "HalfCharacters": Attack("raises half a character", "raise RuntimeError('\\udcff \\ud800')"),
    "TerminalAndCiCommands": Attack(
        "prints and raises terminal and CI commands and HTML",
        "text = '\\x1b[2J\\x1b]0;owned\\x07\\n::set-env name=A::b\\n##[error]x\\n<script>1</script>'\n"
        "print(text, flush=True)\nraise RuntimeError(text)",
    ),
}

READS = {
    "ReadsPrivateFiles": Attack(
        "reads a private file and ~/.ssh",
        tries(
            ("a private file", "read('@SECRET@')"),
            ("the home", "read('@HOME@/.bashrc') + read('@HOME@/.gitconfig')"),
            ("/etc/passwd", "read('/etc/passwd')"),
        ),
    ),
    "ReadsTheEnvironment": Attack(
        "looks for tokens in its own and the hub's environment",
        "print({k: v for k, v in os.environ.items() if '@TOKEN@' in k})\n"
        + tries(
            ("the hub's environment", "read('/proc/@HUB@/environ') or 'opened'"),
            ("its parent's", "read(f'/proc/{os.getppid()}/environ') or 'opened'"),
        ),
    ),
    "ReadsHeldOutPictures": Attack(
        "reads the held-out pictures",
        tries(("the held-out pictures", "os.listdir('@ROOT@/tracks/robot/heldout/Images')")),
    ),
    "ReadsOthers": Attack(
        "reads other contributions, results and runs",
        tries(
            ("another contribution", "os.listdir('@ROOT@/CONTRIBUTIONS/Example1')"),
            ("the results", "os.listdir('@ROOT@/leaderboard/results')"),
            ("the runs of others", "os.listdir('@ROOT@/runs/robot')"),
        ),
    ),
    "ReadsTheRepository": Attack(
        "reads .git, .env and the workflow files",
        tries(
            (".git", "(os.listdir if os.path.isdir('@ROOT@/.git') else read)('@ROOT@/.git')"),
            ("the root", "read('@ROOT@/README.md')"),
        ),
    ),
    "ReadsRawDevices": Attack(
        "opens the disk and the memory as devices",
        tries(("a disk", "os.open('@DISK@', os.O_RDONLY)")),
    ),
}

WRITES = {
    "WritesIntoTheHub": Attack(
        "writes into src/, harness/ and its own folder",
        tries(
            ("src/", "write('@ROOT@/src/@CANARY@')"),
            ("harness/", "write('@ROOT@/harness/@CANARY@')"),
            ("its own folder", "write(os.path.join(os.path.dirname(__file__), '@CANARY@'))"),
        ),
    ),
    "WritesIntoResults": Attack(
        "writes into the results",
        tries(("the results", "write('@ROOT@/leaderboard/results/@CANARY@')")),
    ),
    "WritesIntoHome": Attack(
        "writes into the user's home and beside its run",
        "for place in ('@HOME@', '../..', '@RUN@/..'):\n"
        "    try: write(f'{place}/@CANARY@')\n"
        "    except OSError as error: print(f'refused: {error}')" + OVER,
    ),
    "WritesIntoTmp": Attack(
        "writes into /tmp and /dev/shm",
        "for place in ('/tmp', '/dev/shm'):\n"
        "    try: write(f'{place}/@CANARY@')\n"
        "    except OSError as error: print(f'refused: {error}')" + OVER,
    ),
    "LinksOut": Attack(
        "leaves links under the names that the hub reads",
        "for name in ('log.txt', 'answer.json', 'events.jsonl', 'own-0.png', 'spent.json'):\n"
        "    if os.path.exists(f'../{name}'): os.unlink(f'../{name}')\n"
        "    os.symlink('@SECRET@', f'../{name}')\n"
        "os._exit(0)",
        "crashed WorkerCrash",
    ),
    "PipesAndSockets": Attack(
        "leaves pipes under the names that the hub reads",
        "import socket\nfor name in ('answer.json', 'events.jsonl', 'own-0.png'):\n"
        "    if os.path.exists(f'../{name}'): os.unlink(f'../{name}')\n"
        "    os.mkfifo(f'../{name}')\n"
        "time.sleep(1)\nos._exit(0)",
        "crashed WorkerCrash",
    ),
    "HardLinks": Attack(
        "makes a hard link to a private file",
        tries(("a hard link", "os.link('@SECRET@', '../own-0.png')")),
    ),
    "ChangesTheKernel": Attack(
        "opens kernel switches for writing",
        tries(("core_pattern", "os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)")),
    ),
}

REACHES = {
    "OpensTcp": Attack(
        "opens a TCP connection to this machine",
        "import socket\n"
        + tries(("TCP", "socket.create_connection(('127.0.0.1', @PORT@), 2).getpeername()")),
    ),
    "OpensUdp": Attack(
        "sends UDP, asks a name server",
        "import socket\n"
        + tries(
            ("UDP", "socket.socket(2, 2).sendto(b'x', ('127.0.0.1', 9))"),
            ("DNS", "socket.getaddrinfo('example.org', 80)"),
        ),
    ),
    "OpensUnixSockets": Attack(
        "connects to sockets of the machine's other programs",
        "import socket\n"
        + tries(
            ("a socket file", "socket.socket(1, 1).connect('@SOCKET@')"),
            ("an abstract socket", "socket.socket(1, 1).connect('\\0@CANARY@')"),
        ),
    ),
    "StartsADaemon": Attack(
        "starts a daemon that is to outlive it",
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(600)', "
        "'@CANARY@'])\n    os._exit(0)\ntime.sleep(1)" + OVER,
    ),
    "LeavesZombies": Attack(
        "leaves zombies", "for _ in range(20):\n    if os.fork() == 0: os._exit(0)" + OVER
    ),
    "SignalsTheHub": Attack(
        "sends signals to the hub",
        tries(("a signal", "os.kill(@HUB@, 0) or 'sent'")),
    ),
    "TracesTheHub": Attack(
        "attaches to the hub as a debugger",
        tries(("ptrace", "syscall(101, 0x4206, @HUB@, 0, 0) or syscall(101, 17, @HUB@, 0, 0)")),
    ),
    "LooksIntoOthers": Attack(
        "reads memory and environment of all other processes, the one it was forked from as well",
        "def any_of(name):\n"
        "    for one in os.listdir('/proc'):\n"
        "        if one.isdigit() and int(one) != os.getpid():\n"
        "            try: return open(f'/proc/{one}/{name}', 'rb').read(1) or 'opened'\n"
        "            except OSError: continue\n"
        "    raise PermissionError('none of them')\n"
        + tries(("memory", "any_of('mem')"), ("environment", "any_of('environ')")),
    ),
    "WritesIntoProcessOne": Attack(
        "opens the memory of process 1, which no filter holds, for writing",
        tries(("process 1", "open('/proc/1/mem', 'r+b')")),
    ),
    "LeavesKernelMemory": Attack(
        "takes memory, a queue and a counter of the kernel's that would stay when it has ended",
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "def take(make, end, *size):\n"
        "    found = make(0, *size, 0o1600)\n"
        "    if found < 0: raise OSError(ctypes.get_errno(), 'refused')\n"
        "    end(found)\n"
        + tries(
            ("shared memory", "take(libc.shmget, lambda n: libc.shmctl(n, 0, None), 4096)"),
            ("a message queue", "take(libc.msgget, lambda n: libc.msgctl(n, 0, None))"),
            ("a semaphore", "take(libc.semget, lambda n: libc.semctl(n, 0, 0), 1)"),
        ),
    ),
    "MakesNamespaces": Attack(
        "makes itself root in new namespaces, mounts",
        "if os.fork() == 0:\n"
        "    attempt('namespaces', lambda: syscall(272, 0x10000000 | 0x00020000))\n    os._exit(0)\n"
        "os.wait()\n" + OVER,
    ),
    "AsksTheKernel": Attack(
        "uses keyrings, io_uring and bpf",
        tries(
            ("keyctl", "syscall(250, 0, -3, 0)"),
            ("io_uring", "syscall(425, 1, __import__('ctypes').create_string_buffer(120))"),
        ),
    ),
}

HOOKS = {
    "LoopsInAHook": Attack(
        "loops for ever in make_lora",
        "@hookimpl\ndef make_lora(pipeline, config):\n    while True: pass",
        "timeout WorkerTimeout",
        {"wall_s": 25},
        slow=True,
    ),
    "LeavesMidway": Attack(
        "calls sys.exit(0) half-way through train",
        "@hookimpl\ndef train(pipeline, dataset, adapter, config, reporter):\n"
        "    reporter.step(1, 0.5)\n    sys.exit(0)",
        "crashed WorkerCrash",
        hooks=("train",),
        slow=True,
    ),
    "ReturnsANumber": Attack(
        "returns a number instead of an adapter",
        "@hookimpl\ndef make_lora(pipeline, config):\n    return 42",
        "failed HookResultError",
        slow=True,
    ),
    "ReturnsNothing": Attack(
        "returns nothing",
        "@hookimpl\ndef make_lora(pipeline, config):\n    pass",
        "failed HookResultError",
        slow=True,
    ),
    "HugeTensors": Attack(
        "returns an adapter of tens of gigabytes",
        "import torch\n@hookimpl\ndef make_lora(pipeline, config):\n"
        "    m = torch.nn.Module(); kept = []\n"
        "    while True:\n        kept.append(torch.nn.Parameter(torch.ones(8 << 20)))",
        "oom WorkerMemory",
        {"memory_bytes": 1500 << 20},
        slow=True,
    ),
    "PatchesEverything": Attack(
        "patches json, pluggy and builtins",
        "import builtins, json, pluggy\njson.dumps = lambda *a, **k: 'null'\n"
        "pluggy.PluginManager.register = lambda *a, **k: None\nbuiltins.sorted = lambda *a, **k: []",
    ),
    "RegistersAnUnknownHook": Attack(
        "registers a hook that does not exist",
        "@hookimpl\ndef make_lora(pipeline, config): return 1\n"
        "@hookimpl\ndef steal(pipeline): return 1",
    ),
    "TakesOverOthers": Attack(
        "marks its hook to wrap all others",
        "@hookimpl(wrapper=True)\ndef make_lora(pipeline, config):\n    return (yield)",
    ),
    "PretendsToBeTheReference": Attack(
        "puts itself in the reference's place among the modules",
        "sys.modules['src.main'] = sys.modules['src'] = sys.modules[__name__]\n"
        "@hookimpl\ndef make_lora(pipeline, config): return 1",
    ),
}

ATTACKS = RESOURCES | ENDINGS | READS | WRITES | REACHES | HOOKS
