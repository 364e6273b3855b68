"""Which calls may run while a module is imported, for HUB251 and HUB252."""

from __future__ import annotations

import ast

from harness.check.hooks import MARKER
from harness.check.python_source import Module

# As texts, because a line per name would bury the reasons beside them.
_PURE_NAMES = """
    abs all any bool bytes chr complex getattr hasattr isinstance object ord dict
    divmod enumerate float frozenset int len list max min pow range
    repr round set slice sorted str sum tuple zip type property staticmethod classmethod
    re.compile logging.getLogger warnings.filterwarnings warnings.simplefilter
    warnings.catch_warnings contextlib.suppress
    collections.namedtuple collections.OrderedDict collections.defaultdict
    importlib.metadata.version itertools.count itertools.chain types.MappingProxyType
    functools.partial operator.itemgetter operator.attrgetter
    typing.TypeVar typing.NewType typing.cast typing.ParamSpec math.sqrt math.log math.exp
    os.path.join os.path.dirname os.path.abspath os.getenv os.environ.get
    torch.device torch.Size torch.finfo torch.cuda.is_available torch.no_grad
"""

# Methods of values that are already there: "a b".split(), Path(...).resolve(), logger.setLevel().
_PURE_METHOD_NAMES = """
    split join format strip lower upper replace encode decode resolve absolute joinpath with_name
    with_suffix relative_to add discard pop setdefault sort
    keys values items get copy setLevel addHandler append extend update
"""

# Read files, start downloads, build models or set seeds: never on import.
_HEAVY_NAMES = """
    open from_pretrained from_single_file load load_file load_dataset urlopen urlretrieve
    hf_hub_download snapshot_download read_text read_bytes listdir glob rglob iterdir
    manual_seed seed set_seed
"""

_PURE = frozenset(_PURE_NAMES.split()) | {MARKER}
_PURE_METHODS = frozenset(_PURE_METHOD_NAMES.split())
# Under whatever module's name.
_PURE_ANYWHERE = frozenset({"field", "Field", "get_logger", "getLogger"})
_HEAVY = frozenset(_HEAVY_NAMES.split())


def is_harmless_call(module: Module, call: ast.Call) -> bool:
    """Tell whether a call only makes a value: known functions, and classes by their capital."""
    name = module.dotted(call.func)
    last = name.rpartition(".")[2]
    if last in _HEAVY:
        return False
    is_method = isinstance(call.func, ast.Attribute) and call.func.attr in _PURE_METHODS
    if is_method and not _is_of_a_module(module, call.func):
        return True  # requests.get(...) is no method of a value.
    return name in _PURE or last.lstrip("_")[:1].isupper() or last in _PURE_ANYWHERE


def _is_of_a_module(module: Module, node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in module.aliases


def first_heavy_call(module: Module, node: ast.AST) -> str | None:
    """Return the name of a call that reads, downloads or builds something big."""
    stack = [node]
    while stack:
        inner = stack.pop()
        if isinstance(inner, ast.Lambda):
            continue  # Its body runs later.
        if isinstance(inner, ast.Call):
            last = getattr(inner.func, "attr", None) or getattr(inner.func, "id", "")
            if last in _HEAVY:
                return module.dotted(inner.func) or last
        stack.extend(ast.iter_child_nodes(inner))
    return None
