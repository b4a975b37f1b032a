"""The order in which processes that share a run take the files: the longest first.

So none is still busy with a long one when the others have ended. A new file that takes more than
some ten seconds belongs here.
"""

from collections.abc import Sequence

LONGEST_FIRST = (
    "test_reload.py", "test_notifier_contract.py", "test_controller_contract.py",
    "test_configuration.py", "test_example_school.py", "test_killed.py",
    "test_access_contracts.py", "test_simulated_doors.py", "test_new_plugin.py",
    "test_first_plugin.py", "test_worker.py", "test_schemathesis.py", "test_axe_browser.py",
    "test_sound_browser.py", "test_cameras_browser.py", "test_idempotency_killed.py",
    "test_crash_proof.py", "test_languages_browser.py", "test_guard_browser.py", "test_rtsp.py",
    "test_guests_browser.py", "test_undo_page.py", "test_door_walk.py", "test_moments_page.py",
    "test_providers_together.py", "test_cli.py", "test_sia.py", "test_protocol_browser.py",
    "test_rules_browser.py", "test_reload_browser.py", "test_explain.py", "test_sign_in_browser.py",
    "test_doctor_command.py", "test_plugins_apart.py", "test_secrets.py",
    "test_doctor_services.py", "test_notifier_contracts.py", "test_provider_contracts.py",
    "test_protocol_notifier_contracts.py", "test_camera_contracts.py",
    "test_bench_decode.py", "test_check_mutations.py", "test_reconfigured.py", "test_console.py",
    "test_simulated.py", "test_tamper_live.py", "test_tamper.py", "test_stand_ins.py",
    "test_detectors_apart.py", "test_sample_packages.py", "test_hosts.py", "test_quality.py",
    "test_plugins.py", "test_bad_input.py", "test_zwave_doors.py", "test_osdp_doors.py",
)  # fmt: skip


def rank(file: str) -> int:
    """The place of a test file in the order of the run."""
    return LONGEST_FIRST.index(file) if file in LONGEST_FIRST else len(LONGEST_FIRST)


def turned(files: Sequence[str], process: int, processes: int) -> list[str]:
    """The files as one of the processes reads them: each begins at another place.

    What one has compiled, with its assertions rewritten, the others find. Else each of them
    compiles every file of a fresh clone.
    """
    first = len(files) * process // processes
    return [*files[first:], *files[:first]]
