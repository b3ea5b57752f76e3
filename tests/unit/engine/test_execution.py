from pancap.engine.execution import describe_failure


def test_a_remote_trace_becomes_its_last_named_error():
    trace = "ray::MapWorker() (pid=1)\n  File 'x.py', line 3\nValueError: inner\n\nRuntimeError: weights are missing\n"
    assert describe_failure(RuntimeError(trace)) == "the execution failed: RuntimeError: weights are missing"


def test_an_error_without_text_is_named_by_its_type():
    assert describe_failure(KeyError()) == "the execution failed: KeyError"
