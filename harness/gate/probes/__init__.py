"""Every probe of the gate: what must hold whatever a contribution does differently.

What a hook does is measured by the profile (`harness/gate/profile`), beside the reference. Probes
are for the rest: crashes, what is left in the process, files that bring the model back, stops,
and whether anything is learnt. A probe is a function; a module holds those of one subject.

To add a probe:

1.  Take the module of its subject: what `make_lora` returns (adapter), what a training changes
    (training_weights), chance and stops (repeats), whether it learns (learning), or the process
    around all of it (process).

2.  Write a function that reads what the experiment saw and yields a `Symptom` for what is wrong;
    `DoesNotApply` says that nothing can be said. Mark it: ``@probe("HUB-C56", "Title", calls=(...),
    because=(...))``. `Probe` explains the options. Import nothing that imports torch at the top.

3.  Write docs/gate/HUB-C56.md. A finding tells its reader two parts of the page: "Why it matters",
    and the text below the code of "Right" (the code itself if there is none). Then add wrong code
    to tests/mutants that fails this probe.
"""
