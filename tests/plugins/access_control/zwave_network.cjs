// A real zwave-js driver and the real @zwave-js/server, on a pretended stick with two locks.
//
//   node zwave_network.cjs FOLDER_OF_@zwave-js/server CACHE_FOLDER
//
// Prints `ready PORT`. Each line on stdin is an order as JSON, answered by `done`.
"use strict";
const { createRequire } = require("node:module");
const path = require("node:path");
const need = createRequire(path.join(path.resolve(process.argv[2]), "x.js"));
const { CommandClasses, Duration } = need("@zwave-js/core");
const {
  DoorLockCCOperationGet, DoorLockCCOperationReport, DoorLockCCOperationSet, NotificationCCReport,
} = need("@zwave-js/cc");
const { MockController, MockNode, createMockZWaveRequestFrame } = need("@zwave-js/testing");
const testing = need("zwave-js/Testing");
const { ZwavejsServer } = need("@zwave-js/server");

const MODE = "DoorLock_currentMode";
const locks = new Map();
let server, known;

// What a lock does with a command, before the usual behaviour: a bolt that is stuck, or slow.
function obeys(lock) {
  return {
    handleCC(controller, self, received) {
      if (received instanceof DoorLockCCOperationGet) {
        return { action: "sendCC", cc: operation(lock, self.state.get(MODE) ?? 0) };
      }
      if (!(received instanceof DoorLockCCOperationSet)) return;
      lock.asked.push(received.mode);
      if (lock.faults.has("lag")) {
        lock.later = received.mode;
        return { action: "ok" };
      }
      if (!lock.faults.has("jam")) return;
      if (!lock.faults.has("quiet")) setImmediate(() => notify(lock, 11));
      return { action: "ok" };
    },
  };
}

async function tell(lock, cc) {
  await lock.node.sendToController(createMockZWaveRequestFrame(cc, { ackRequested: false }));
}

async function notify(lock, event) {
  const nodeId = lock.controller.ownNodeId;
  const type = event >= 256 ? 7 : 6;
  const cc = { nodeId, notificationType: type, notificationEvent: event % 256 };
  await tell(lock, new NotificationCCReport(cc));
}

function operation(lock, mode) {
  return new DoorLockCCOperationReport({
    nodeId: lock.controller.ownNodeId,
    currentMode: mode,
    targetMode: mode,
    duration: new Duration(0, "seconds"),
    outsideHandlesCanOpenDoor: [true, true, true, true],
    insideHandlesCanOpenDoor: [true, true, true, true],
    doorStatus: lock.door,
    boltStatus: lock.bolt ?? (mode === 255 ? "locked" : "unlocked"),
    latchStatus: "closed",
  });
}

// Until the server knows the mode that a lock told: its report would answer a later question else.
async function taken(node, mode) {
  const about = { commandClass: CommandClasses["Door Lock"], endpoint: 0, property: "currentMode" };
  for (let tries = 0; tries < 200; tries++) {
    if (known.controller.nodes.get(node).getValue(about) === mode) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`node ${node}: the server has not heard of mode ${mode}`);
}

const acts = {
  async faults({ node, faults }) {
    const lock = locks.get(node);
    lock.faults = new Set(faults);
    lock.node.autoAckControllerFrames = !lock.faults.has("dead");
  },
  // By hand: the bolt is turned, the door opened, and the lock says so.
  async turn({ node, mode, door = "closed" }) {
    const lock = locks.get(node);
    lock.door = door;
    lock.bolt = undefined;
    lock.node.state.set(MODE, mode);
    await tell(lock, operation(lock, mode));
    await taken(node, mode);
  },
  // From now on the bolt's own switch says this.
  async bolt({ node, bolt }) {
    locks.get(node).bolt = bolt;
  },
  async notify({ node, event }) {
    await notify(locks.get(node), event);
  },
  async catch_up({ node }) {
    const lock = locks.get(node);
    lock.faults.delete("lag");
    lock.node.state.set(MODE, lock.later);
    await tell(lock, operation(lock, lock.later));
  },
  async asked({ node }) {
    return locks.get(node).asked.splice(0);
  },
};

async function main() {
  const { driver, continueStartup, mockPort, serial } =
    await testing.createAndStartDriverWithMockPort({
      storage: { cacheDir: process.argv[3] },
      testingHooks: { skipFirmwareIdentification: true, loadConfiguration: false },
      attempts: { controller: 1, sendData: 1, nodeInterview: 1 },
      timeouts: { ack: 300, report: 500 },
      emitValueUpdateAfterSetValue: true,
    });
  known = driver;
  const controller = new MockController({ homeId: 0x7e571000, ownNodeId: 1, mockPort, serial });
  controller.defineBehavior(...testing.createDefaultMockControllerBehaviors());
  for (const id of [2, 3]) {
    const node = new MockNode({
      id,
      controller,
      capabilities: {
        commandClasses: [
          CommandClasses.Version,
          { ccId: CommandClasses["Door Lock"], version: 4, travelTime: 0 },
          { ccId: CommandClasses.Notification, version: 8, supportsV1Alarm: false,
            notificationTypesAndEvents: { 6: [1, 2, 11, 22, 23], 7: [3] } },
        ],
      },
    });
    controller.addNode(node);
    const lock = { node, controller, faults: new Set(), asked: [], door: "closed" };
    node.defineBehavior(...testing.createDefaultMockNodeBehaviors());
    node.defineBehavior(obeys(lock));
    locks.set(id, lock);
  }
  driver.on("error", (error) => { console.error(String(error)); process.exit(1); });
  driver.once("all nodes ready", async () => {
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const { createServer } = require("node:net");
    const free = createServer().listen(0, "127.0.0.1", () => {
      const { port } = free.address();
      free.close(async () => {
        server = new ZwavejsServer(driver, {
          port, host: "127.0.0.1", enableDNSServiceDiscovery: false, logger,
        });
        await server.start();
        console.log(`ready ${port}`);
      });
    });
  });
  continueStartup();
}

const lines = require("node:readline").createInterface({ input: process.stdin });
process.on("unhandledRejection", (error) => { console.error("unhandled", error); process.exit(1); });
lines.on("line", async (line) => {
  const order = JSON.parse(line);
  try {
    const found = await acts[order.do](order);
    console.log(`done ${JSON.stringify(found ?? null)}`);
  } catch (error) {
    console.log(`failed ${String(error)}`);
  }
});
lines.on("close", () => process.exit(0));
main();
