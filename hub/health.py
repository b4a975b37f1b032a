"""How the house is: what is wrong with it, in words, and the figures beside that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hub
from hub.audit import Audit
from hub.camera_views import CameraView
from hub.clock import iso
from hub.config import Config
from hub.heartbeat import Heartbeat
from hub.input_listener import InputListener
from hub.models_view import detecting
from hub.parts import Parts
from hub.perception.inference import overload
from hub.phrases import phrase
from hub.sampling import Sampling
from hub.views import HealthView, PluginView, ProcessView


class Health:
    """Asks every part how it is. `config` is what runs, `cameras` and `queues` how those are."""

    def __init__(
        self,
        parts: Parts,
        config: Callable[[], Config],
        cameras: Callable[[], list[CameraView]],
        queues: Callable[[], dict[str, dict[str, int]]],
        heartbeat: Heartbeat,
        audit: Audit,
        sampling: Sampling,
        inputs: InputListener,
    ) -> None:
        self._parts = parts
        self._config, self._cameras, self._queues = config, cameras, queues
        self._heartbeat, self._audit, self._sampling = heartbeat, audit, sampling
        self._inputs = inputs
        self._started, self._started_monotonic = parts.clock.now(), parts.clock.monotonic()

    def plugins(self) -> list[PluginView]:
        """Plugins from outside, and built-in ones that misbehaved."""
        quarantined = dict(self._parts.hosts.quarantined())
        for report in self._parts.perception.detectors().values():
            if report.get("quarantine"):
                quarantined[str(report["plugin"])] = str(report["quarantine"])
        return self._parts.plugin_faults.views(self._parts.registry(), self._config(), quarantined)

    async def view(self) -> HealthView:
        """How the house is."""
        counts = await self._parts.intake.counts()
        detectors = self._parts.perception.detectors()
        plugins = self.plugins()
        processes = self._parts.supervisor.views()
        problems = [*await self._parts.escalator.unheard(), *self._problems(detectors, processes)]
        problems += self._heartbeat.problems() + self._audit.problems() + self._sampling.problems()
        problems += [
            f"plugin {plugin['name']} is {plugin['state']}: {plugin['reason']}"
            for plugin in plugins
            if plugin["state"] == "quarantined"
        ]
        return HealthView(
            state="degraded" if problems else "ok",
            problems=problems,
            notes=[*await self._parts.escalator.notes(), *self._inputs.notes()],
            configuration=self._parts.configuration.trouble or self._parts.configuration.waiting,
            version=hub.__version__,
            started=iso(self._started),
            uptime_s=round(self._parts.clock.monotonic() - self._started_monotonic, 1),
            detecting=detecting(detectors),
            guessing=any(bool(report.get("guessing")) for report in detectors.values()),
            processes=processes,
            drivers=self._parts.drivers.views(),
            plugins=plugins,
            queues=self._queues(),
            work=self._parts.perception.work(),
            backup=self._parts.backups.view(),
            pages=self._parts.served.view(),
            heartbeat=self._heartbeat.view(),
            machine=await self._sampling.machine(),
            events=counts["events"],
            alerts_open=counts["alerts_open"],
            actions=counts["actions"],
        )

    def _problems(
        self, detectors: dict[str, dict[str, Any]], processes: list[ProcessView]
    ) -> list[str]:
        configuration, cameras = self._parts.configuration, self._cameras()
        backup = self._parts.backups.view()["trouble"]
        problems = [said for said in (configuration.trouble, configuration.waiting, backup) if said]
        problems += [
            f"{view['kind']} {view['id']}: {view['reason'] or view['state']}"
            for view in self._parts.drivers.views()
            if view["state"] in ("retrying", "failed")
        ]
        problems += [
            phrase("camera %(id)s is offline: %(reason)s", id=camera["id"], reason=camera["reason"])
            for camera in cameras
            if camera["state"] == "offline"
        ]
        problems += [
            f"camera {camera['id']}: {camera['reason']}"
            for camera in cameras
            if camera["state"] == "online" and camera["reason"]
        ]
        problems += self._parts.performer.speaking.troubles.values()
        problems += self._parts.doors.troubles() + self._parts.served.problems()
        problems += [
            f"{task.name}: {task.reason}"
            for task in self._parts.supervisor.tasks()
            if task.state in ("retrying", "failed")
        ]
        problems += [
            words for name, report in detectors.items() if (words := overload(name, report))
        ]
        problems += [
            phrase("process %(name)s is being started again", name=process["name"])
            for process in processes
            if process["state"] == "restarting" and process["restarts"]
        ]
        problems += [
            f"detector {name}: {report['reason']}"
            for name, report in detectors.items()
            if report.get("reason") and not report.get("guessing")
        ]
        return problems
