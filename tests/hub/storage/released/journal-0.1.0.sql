PRAGMA user_version=1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE actions (
	id INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	lane TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	target TEXT NOT NULL, 
	what TEXT NOT NULL, 
	payload TEXT NOT NULL, 
	alert TEXT NOT NULL, 
	incident TEXT NOT NULL, 
	created TEXT NOT NULL, 
	due TEXT NOT NULL, 
	deadline_s FLOAT NOT NULL, 
	expires TEXT NOT NULL, 
	attempts INTEGER DEFAULT 0 NOT NULL, 
	state TEXT NOT NULL, 
	stop TEXT DEFAULT '' NOT NULL, 
	detail TEXT DEFAULT '' NOT NULL, 
	started TEXT, 
	finished TEXT, 
	PRIMARY KEY (id), 
	UNIQUE ("key")
);
INSERT INTO "actions" VALUES(1,'35bd955aa25d4c87910b40017adba674','notice/console/sro+front_office','notice','console','Tell School resource officer, Front office through Console','{"about": "alert", "severity": "high", "title": "Door forced open", "text": "Ground floor, Main building, at 03:31 on Friday 27 November.\nYard door: forced open while locked.\nWhy: door.forced.\nIt could be: A key used without a badge.\nNobody has verified this yet.", "time": "2026-11-27T09:31:41.543Z", "place": "Ground floor, Main building", "alert": "f61f5374e9844dcb988b5981b3cff8ac", "incident": "1c1be9c125fa41b8b6f65aafea95d20f", "basis": "detector", "data": {}, "to": [{"person": "sro", "name": "School resource officer", "contact": ""}, {"person": "front_office", "name": "Front office", "contact": ""}], "path": "/alerts/f61f5374e9844dcb988b5981b3cff8ac"}','f61f5374e9844dcb988b5981b3cff8ac','1c1be9c125fa41b8b6f65aafea95d20f','2026-11-27T09:31:41.543Z','2026-11-27T09:31:41.543Z',10.0,'2026-11-28T09:31:41.543Z',1,'confirmed','','printed','2026-11-27T09:31:41.581Z','2026-11-27T09:31:41.606Z');
INSERT INTO "actions" VALUES(2,'0a3bc80acd6646f487074e2af6ead69f','notice/logbook/sro+front_office','notice','logbook','Tell School resource officer, Front office through Logbook','{"about": "alert", "severity": "high", "title": "Door forced open", "text": "Ground floor, Main building, at 03:31 on Friday 27 November.\nYard door: forced open while locked.\nWhy: door.forced.\nIt could be: A key used without a badge.\nNobody has verified this yet.", "time": "2026-11-27T09:31:41.543Z", "place": "Ground floor, Main building", "alert": "f61f5374e9844dcb988b5981b3cff8ac", "incident": "1c1be9c125fa41b8b6f65aafea95d20f", "basis": "detector", "data": {}, "to": [{"person": "sro", "name": "School resource officer", "contact": ""}, {"person": "front_office", "name": "Front office", "contact": ""}], "path": "/alerts/f61f5374e9844dcb988b5981b3cff8ac"}','f61f5374e9844dcb988b5981b3cff8ac','1c1be9c125fa41b8b6f65aafea95d20f','2026-11-27T09:31:41.543Z','2026-11-27T09:31:41.543Z',10.0,'2026-11-28T09:31:41.543Z',1,'confirmed','','written down','2026-11-27T09:31:41.581Z','2026-11-27T09:31:41.616Z');
INSERT INTO "actions" VALUES(3,'1bc1c9a387d44fa99ad5f65f211f8be0','notice/console/sro','notice','console','Tell School resource officer through Console','{"about": "alert", "severity": "high", "title": "Person in the closed science wing", "text": "Science wing, First floor, Main building, at 03:32 on Friday 27 November.\nPerson (guessed from motion) seen in Science wing (score 0.45).\nWhy: zone.entered; label person 0.45; place Science wing; outside \"Science wing open\" (it was Fri 03:32).\nIt could be: A cleaner or a teacher fetching something.\nNobody has verified this yet.", "time": "2026-11-27T09:32:15.832Z", "place": "Science wing, First floor, Main building", "alert": "971dc54979ef45fdb5a8dc259dbfc3e6", "incident": "6abc876668164fd694cf34af215e777a", "basis": "detector", "data": {}, "to": [{"person": "sro", "name": "School resource officer", "contact": ""}], "path": "/alerts/971dc54979ef45fdb5a8dc259dbfc3e6"}','971dc54979ef45fdb5a8dc259dbfc3e6','6abc876668164fd694cf34af215e777a','2026-11-27T09:32:15.832Z','2026-11-27T09:32:15.832Z',10.0,'2026-11-28T09:32:15.832Z',1,'confirmed','','printed','2026-11-27T09:32:15.845Z','2026-11-27T09:32:15.848Z');
INSERT INTO "actions" VALUES(4,'584c9460dd5249f49378ab62c07537d1','notice/logbook/sro','notice','logbook','Tell School resource officer through Logbook','{"about": "alert", "severity": "high", "title": "Person in the closed science wing", "text": "Science wing, First floor, Main building, at 03:32 on Friday 27 November.\nPerson (guessed from motion) seen in Science wing (score 0.45).\nWhy: zone.entered; label person 0.45; place Science wing; outside \"Science wing open\" (it was Fri 03:32).\nIt could be: A cleaner or a teacher fetching something.\nNobody has verified this yet.", "time": "2026-11-27T09:32:15.832Z", "place": "Science wing, First floor, Main building", "alert": "971dc54979ef45fdb5a8dc259dbfc3e6", "incident": "6abc876668164fd694cf34af215e777a", "basis": "detector", "data": {}, "to": [{"person": "sro", "name": "School resource officer", "contact": ""}], "path": "/alerts/971dc54979ef45fdb5a8dc259dbfc3e6"}','971dc54979ef45fdb5a8dc259dbfc3e6','6abc876668164fd694cf34af215e777a','2026-11-27T09:32:15.832Z','2026-11-27T09:32:15.832Z',10.0,'2026-11-28T09:32:15.832Z',1,'confirmed','','written down','2026-11-27T09:32:15.845Z','2026-11-27T09:32:15.849Z');
INSERT INTO "actions" VALUES(5,'962e734699b541e8b963f2eee2fd9db5','notice/console/sro+front_office','notice','console','Tell School resource officer, Front office through Console','{"about": "verdict", "severity": "high", "title": "Verified: Door forced open", "text": "tests (token) says this is real (03:32 on Friday 27 November).\nseen\nGround floor, Main building, first seen at 03:31.", "time": "2026-11-27T09:32:18.748Z", "place": "Ground floor, Main building", "alert": "f61f5374e9844dcb988b5981b3cff8ac", "incident": "1c1be9c125fa41b8b6f65aafea95d20f", "basis": "person", "data": {"verdict": "verified", "by": "tests (token)"}, "to": [{"person": "sro", "name": "School resource officer", "contact": ""}, {"person": "front_office", "name": "Front office", "contact": ""}], "path": "/alerts/f61f5374e9844dcb988b5981b3cff8ac"}','f61f5374e9844dcb988b5981b3cff8ac','1c1be9c125fa41b8b6f65aafea95d20f','2026-11-27T09:32:18.748Z','2026-11-27T09:32:18.748Z',10.0,'2026-11-28T09:32:18.748Z',1,'confirmed','','printed','2026-11-27T09:32:18.772Z','2026-11-27T09:32:18.785Z');
INSERT INTO "actions" VALUES(6,'a62d7c1e98394117a57fc4449a62b0bf','notice/logbook/sro+front_office','notice','logbook','Tell School resource officer, Front office through Logbook','{"about": "verdict", "severity": "high", "title": "Verified: Door forced open", "text": "tests (token) says this is real (03:32 on Friday 27 November).\nseen\nGround floor, Main building, first seen at 03:31.", "time": "2026-11-27T09:32:18.748Z", "place": "Ground floor, Main building", "alert": "f61f5374e9844dcb988b5981b3cff8ac", "incident": "1c1be9c125fa41b8b6f65aafea95d20f", "basis": "person", "data": {"verdict": "verified", "by": "tests (token)"}, "to": [{"person": "sro", "name": "School resource officer", "contact": ""}, {"person": "front_office", "name": "Front office", "contact": ""}], "path": "/alerts/f61f5374e9844dcb988b5981b3cff8ac"}','f61f5374e9844dcb988b5981b3cff8ac','1c1be9c125fa41b8b6f65aafea95d20f','2026-11-27T09:32:18.748Z','2026-11-27T09:32:18.748Z',10.0,'2026-11-28T09:32:18.748Z',1,'confirmed','','written down','2026-11-27T09:32:18.772Z','2026-11-27T09:32:18.786Z');
CREATE TABLE alerts (
	id TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	scope TEXT NOT NULL, 
	title TEXT NOT NULL, 
	severity TEXT NOT NULL, 
	state TEXT NOT NULL, 
	place TEXT NOT NULL, 
	camera TEXT NOT NULL, 
	door TEXT NOT NULL, 
	event TEXT NOT NULL, 
	opened TEXT NOT NULL, 
	updated TEXT NOT NULL, 
	announced TEXT NOT NULL, 
	count INTEGER NOT NULL, 
	incident TEXT NOT NULL, 
	picture TEXT, 
	box TEXT, 
	frame_size TEXT, 
	matched TEXT NOT NULL, 
	label TEXT NOT NULL, 
	score FLOAT, 
	guessing BOOLEAN NOT NULL, 
	could_be TEXT NOT NULL, 
	"plan" TEXT NOT NULL, 
	verdict_by TEXT DEFAULT '' NOT NULL, 
	verdict_time TEXT DEFAULT '' NOT NULL, 
	verdict_note TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "alerts" VALUES('f61f5374e9844dcb988b5981b3cff8ac','forced_door','door/yard_door','Door forced open','high','verified','ground_floor','yard','yard_door','dee4a980e95947448d1b350db7596217','2026-11-27T09:31:41.543Z','2026-11-27T09:32:18.748Z','2026-11-27T09:31:41.543Z',1,'1c1be9c125fa41b8b6f65aafea95d20f',NULL,NULL,NULL,'["door.forced"]','',NULL,0,'A key used without a badge','[]','tests (token)','2026-11-27T09:32:18.748Z','seen');
INSERT INTO "alerts" VALUES('971dc54979ef45fdb5a8dc259dbfc3e6','closed_wing','place/science_wing','Person in the closed science wing','high','raised','science_wing','science_corridor','','6ee1e9b6044e492695d484815e52e73f','2026-11-27T09:32:15.832Z','2026-11-27T09:32:15.832Z','2026-11-27T09:32:15.832Z',1,'6abc876668164fd694cf34af215e777a','884c034bd8d0429f83a9039234a6e256.jpg','[285.5, 97.1, 342.9, 336.0]','[640, 360]','["zone.entered", "label person 0.45", "place Science wing", "outside \"Science wing open\" (it was Fri 03:32)"]','person',0.45,1,'A cleaner or a teacher fetching something','[{"kind": "door", "door": "science_wing_door", "verb": "lock", "may": true}, {"kind": "door", "door": "laboratory_1_door", "verb": "lock", "may": true}, {"kind": "door", "door": "laboratory_2_door", "verb": "lock", "may": true}, {"kind": "notice", "through": ["siren"], "tell": [], "text": "Stay out of the science wing"}, {"kind": "notice", "through": ["console", "logbook"], "tell": ["principal", "front_office"], "text": ""}]','','','');
CREATE TABLE events (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id TEXT NOT NULL, 
	type TEXT NOT NULL, 
	source TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	time TEXT NOT NULL, 
	received TEXT NOT NULL, 
	data TEXT NOT NULL, 
	UNIQUE (id)
);
INSERT INTO "events" VALUES(1,'af479c24f2af4d74939b25d1be754410','hub.started','hub','','2026-11-27T09:31:16.400Z','2026-11-27T09:31:16.400Z','{}');
INSERT INTO "events" VALUES(2,'50bb41d1f29a47138e03abd1426a9ad8','process.started','hub/supervisor','perception','2026-11-27T09:31:16.543Z','2026-11-27T09:31:16.544Z','{"name":"perception","pid":3855,"restarts":0}');
INSERT INTO "events" VALUES(3,'7941fd41e9ce4676af90cf5a3e9f1825','door.opened','door/yard_door','yard_door','2026-11-27T09:31:41.543Z','2026-11-27T09:31:41.543Z','{"door":"yard_door","name":"Yard door","place":"ground_floor","leads_to":"yard","controller":"main_doors","forced":true}');
INSERT INTO "events" VALUES(4,'dee4a980e95947448d1b350db7596217','door.forced','door/yard_door','yard_door','2026-11-27T09:31:41.543Z','2026-11-27T09:31:41.543Z','{"door":"yard_door","name":"Yard door","place":"ground_floor","leads_to":"yard","controller":"main_doors","lock":"locked"}');
INSERT INTO "events" VALUES(5,'a54f6a9ce712491fa1895bd50e3bed80','incident.opened','rule/forced_door','1c1be9c125fa41b8b6f65aafea95d20f','2026-11-27T09:31:41.543Z','2026-11-27T09:31:41.543Z','{"incident":"1c1be9c125fa41b8b6f65aafea95d20f","title":"Door forced open","severity":"high","place":"ground_floor"}');
INSERT INTO "events" VALUES(6,'c6a5acd964c04ac99e2fa83e36199754','alert.raised','rule/forced_door','f61f5374e9844dcb988b5981b3cff8ac','2026-11-27T09:31:41.543Z','2026-11-27T09:31:41.543Z','{"alert":"f61f5374e9844dcb988b5981b3cff8ac","rule":"forced_door","title":"Door forced open","severity":"high","place":"ground_floor","camera":"yard","door":"yard_door","incident":"1c1be9c125fa41b8b6f65aafea95d20f","count":1,"matched":["door.forced"],"picture":null,"cause":"dee4a980e95947448d1b350db7596217"}');
INSERT INTO "events" VALUES(7,'5db7d8a7e6e4400ca4f3c9f93b71c6cb','action.confirmed','hub/actions','console','2026-11-27T09:31:41.606Z','2026-11-27T09:31:41.606Z','{"key":"35bd955aa25d4c87910b40017adba674","kind":"notice","target":"console","what":"Tell School resource officer, Front office through Console","alert":"f61f5374e9844dcb988b5981b3cff8ac","incident":"1c1be9c125fa41b8b6f65aafea95d20f","detail":"printed","seconds":0.063,"attempts":1,"about":"alert","to":["School resource officer","Front office"]}');
INSERT INTO "events" VALUES(8,'9e34c52d72ff43568a98dc755f02bd89','action.confirmed','hub/actions','logbook','2026-11-27T09:31:41.616Z','2026-11-27T09:31:41.616Z','{"key":"0a3bc80acd6646f487074e2af6ead69f","kind":"notice","target":"logbook","what":"Tell School resource officer, Front office through Logbook","alert":"f61f5374e9844dcb988b5981b3cff8ac","incident":"1c1be9c125fa41b8b6f65aafea95d20f","detail":"written down","seconds":0.073,"attempts":1,"about":"alert","to":["School resource officer","Front office"]}');
INSERT INTO "events" VALUES(9,'478b9bfc933243deaabe260abb0af496','door.offline','door/store_room_door','store_room_door','2026-11-27T09:31:47.464Z','2026-11-27T09:31:47.464Z','{"door":"store_room_door","name":"Store room","place":"store_room","leads_to":"ground_floor","controller":"main_doors","reason":"no answer for 30 s"}');
INSERT INTO "events" VALUES(10,'6737540687fa46b3a07526b0618a764e','door.closed','door/yard_door','yard_door','2026-11-27T09:31:47.544Z','2026-11-27T09:31:47.544Z','{"door":"yard_door","name":"Yard door","place":"ground_floor","leads_to":"yard","controller":"main_doors"}');
INSERT INTO "events" VALUES(11,'d8cf2fb16f5d4649a156c77a5977f9e0','zone.entered','camera/lobby','lobby','2026-11-27T09:32:07.677Z','2026-11-27T09:32:07.709Z','{"camera":"lobby","place":"lobby","zone":"Doorway","track":1,"label":"person","score":0.45,"box":[252.0,71.8,292.0,159.7],"frame":[640,360],"picture":"6414ad4c8f424d29a050535e28ce5fa8.jpg","guessing":true}');
INSERT INTO "events" VALUES(12,'1bbcd30dbd9e4619b3482434adb02cf0','zone.entered','camera/yard','yard','2026-11-27T09:32:08.276Z','2026-11-27T09:32:08.350Z','{"camera":"yard","place":"yard","zone":"Yard","track":1,"label":"person","score":0.45,"box":[29.1,160.0,124.3,272.9],"frame":[640,360],"picture":"18247409e4454e33b67bfdfbae020c51.jpg","guessing":true}');
INSERT INTO "events" VALUES(13,'8298f5455e174726bd6b69da1bdd72f0','zone.entered','camera/car_park','car_park','2026-11-27T09:32:09.477Z','2026-11-27T09:32:09.614Z','{"camera":"car_park","place":"car_park","zone":"Car park","track":1,"label":"car","score":0.35,"box":[5.7,200.0,343.9,360.0],"frame":[640,360],"picture":"33b746f88fd249e3b26adee4bc5447dc.jpg","guessing":true}');
INSERT INTO "events" VALUES(14,'ae35b44dd7554645bca88bc9fe656e90','zone.entered','camera/lobby','lobby','2026-11-27T09:32:10.077Z','2026-11-27T09:32:10.191Z','{"camera":"lobby","place":"lobby","zone":"Doorway","track":2,"label":"car","score":0.35,"box":[204.0,64.0,388.0,192.0],"frame":[640,360],"picture":"49274fc8b9c94dd6979012e69353fbed.jpg","guessing":true}');
INSERT INTO "events" VALUES(15,'5ec5ab3b41f94381805f1bc80682e2c2','zone.entered','camera/yard','yard','2026-11-27T09:32:11.876Z','2026-11-27T09:32:11.972Z','{"camera":"yard","place":"yard","zone":"Yard","track":2,"label":"person","score":0.3187,"box":[486.9,167.8,628.1,303.6],"frame":[640,360],"picture":"4cf08ba1bf7448b68b43e49b4a41f323.jpg","guessing":true}');
INSERT INTO "events" VALUES(16,'000656d8a3ba48828e0f4a9a701cda66','zone.entered','camera/car_park','car_park','2026-11-27T09:32:12.077Z','2026-11-27T09:32:12.249Z','{"camera":"car_park","place":"car_park","zone":"Car park","track":2,"label":"person","score":0.375,"box":[335.4,153.7,493.7,314.9],"frame":[640,360],"picture":"66a255666eb94f649b51a7e1aaf9ac77.jpg","guessing":true}');
INSERT INTO "events" VALUES(17,'73ff5c23cafd4a3abf47955c727037f0','zone.entered','camera/lobby','lobby','2026-11-27T09:32:12.877Z','2026-11-27T09:32:13.067Z','{"camera":"lobby","place":"lobby","zone":"Doorway","track":3,"label":"person","score":0.45,"box":[456.3,104.0,515.6,358.8],"frame":[640,360],"picture":"b684d25171b24cae9741d166f8fb2d6b.jpg","guessing":true}');
INSERT INTO "events" VALUES(18,'6ee1e9b6044e492695d484815e52e73f','zone.entered','camera/science_corridor','science_corridor','2026-11-27T09:32:15.676Z','2026-11-27T09:32:15.832Z','{"camera":"science_corridor","place":"science_wing","zone":"Corridor","track":1,"label":"person","score":0.45,"box":[285.5,97.1,342.9,336.0],"frame":[640,360],"picture":"884c034bd8d0429f83a9039234a6e256.jpg","guessing":true}');
INSERT INTO "events" VALUES(19,'4a76449433c144ba92a339613c8d1696','incident.opened','rule/closed_wing','6abc876668164fd694cf34af215e777a','2026-11-27T09:32:15.832Z','2026-11-27T09:32:15.832Z','{"incident":"6abc876668164fd694cf34af215e777a","title":"Person in the closed science wing","severity":"high","place":"science_wing"}');
INSERT INTO "events" VALUES(20,'9c6cdb68f58c4728a5bbd600e68c3c5b','alert.raised','rule/closed_wing','971dc54979ef45fdb5a8dc259dbfc3e6','2026-11-27T09:32:15.832Z','2026-11-27T09:32:15.832Z','{"alert":"971dc54979ef45fdb5a8dc259dbfc3e6","rule":"closed_wing","title":"Person in the closed science wing","severity":"high","place":"science_wing","camera":"science_corridor","door":"","incident":"6abc876668164fd694cf34af215e777a","count":1,"matched":["zone.entered","label person 0.45","place Science wing","outside \"Science wing open\" (it was Fri 03:32)"],"picture":"884c034bd8d0429f83a9039234a6e256.jpg","cause":"6ee1e9b6044e492695d484815e52e73f"}');
INSERT INTO "events" VALUES(21,'90b1685b8f934a2b84ef4716cade9651','action.confirmed','hub/actions','console','2026-11-27T09:32:15.848Z','2026-11-27T09:32:15.848Z','{"key":"1bc1c9a387d44fa99ad5f65f211f8be0","kind":"notice","target":"console","what":"Tell School resource officer through Console","alert":"971dc54979ef45fdb5a8dc259dbfc3e6","incident":"6abc876668164fd694cf34af215e777a","detail":"printed","seconds":0.016,"attempts":1,"about":"alert","to":["School resource officer"]}');
INSERT INTO "events" VALUES(22,'e8bd3522faa64d57a612c097c4dff6e1','action.confirmed','hub/actions','logbook','2026-11-27T09:32:15.849Z','2026-11-27T09:32:15.849Z','{"key":"584c9460dd5249f49378ab62c07537d1","kind":"notice","target":"logbook","what":"Tell School resource officer through Logbook","alert":"971dc54979ef45fdb5a8dc259dbfc3e6","incident":"6abc876668164fd694cf34af215e777a","detail":"written down","seconds":0.017,"attempts":1,"about":"alert","to":["School resource officer"]}');
INSERT INTO "events" VALUES(23,'6f91fe7a115843a58fd1976d35cf2db8','picture.saved','camera/science_corridor','science_corridor','2026-11-27T09:32:11.876Z','2026-11-27T09:32:16.036Z','{"camera":"science_corridor","incident":"6abc876668164fd694cf34af215e777a","picture":"5cf9f30f113a4e21b42bc740bd06ec93.jpg","offset_s":-4.0}');
INSERT INTO "events" VALUES(24,'1255da2915fd4c74bd47bb70cb0cbe15','picture.saved','camera/science_corridor','science_corridor','2026-11-27T09:32:13.876Z','2026-11-27T09:32:16.039Z','{"camera":"science_corridor","incident":"6abc876668164fd694cf34af215e777a","picture":"6b0a6af29e75452baf33a8d8322f1868.jpg","offset_s":-2.0}');
INSERT INTO "events" VALUES(25,'880d0abafa1641118721af41a3861672','zone.left','camera/car_park','car_park','2026-11-27T09:32:16.077Z','2026-11-27T09:32:16.126Z','{"camera":"car_park","place":"car_park","zone":"Car park","track":1,"label":"car","score":0.35,"box":[236.4,173.6,529.2,357.0],"frame":[640,360],"picture":"ad5a2d96830b4ab492d73b7179487321.jpg","guessing":true}');
INSERT INTO "events" VALUES(26,'f027b471c7864b2facc2a5d30b3258b2','zone.left','camera/lobby','lobby','2026-11-27T09:32:17.677Z','2026-11-27T09:32:17.808Z','{"camera":"lobby","place":"lobby","zone":"Doorway","track":2,"label":"car","score":0.35,"box":[204.0,64.0,388.0,192.0],"frame":[640,360],"picture":"d33f4573a9a64243abd72e9914dfd467.jpg","guessing":true}');
INSERT INTO "events" VALUES(27,'d46bb1c624524545900112a4dbb1b9df','picture.saved','camera/science_corridor','science_corridor','2026-11-27T09:32:17.876Z','2026-11-27T09:32:18.072Z','{"camera":"science_corridor","incident":"6abc876668164fd694cf34af215e777a","picture":"f88b54da913b48d48d38669cb82f4d0b.jpg","offset_s":2.0}');
INSERT INTO "events" VALUES(28,'d047d75ca94944c1b9a1b7c6f4e0b3a3','zone.entered','camera/car_park','car_park','2026-11-27T09:32:18.277Z','2026-11-27T09:32:18.389Z','{"camera":"car_park","place":"car_park","zone":"Car park","track":3,"label":"car","score":0.35,"box":[215.9,113.3,566.4,233.3],"frame":[640,360],"picture":"cd956133c2ae4ca78fd331c56cc72fdc.jpg","guessing":true}');
INSERT INTO "events" VALUES(29,'5b5b25fd481c42bfa9ca564b2e7129b0','zone.left','camera/lobby','lobby','2026-11-27T09:32:18.277Z','2026-11-27T09:32:18.412Z','{"camera":"lobby","place":"lobby","zone":"Doorway","track":1,"label":"person","score":0.4104,"box":[241.0,64.0,329.7,192.3],"frame":[640,360],"picture":"e2414aa0fcf74338a00b497ea7a79d86.jpg","guessing":true}');
INSERT INTO "events" VALUES(30,'80e94676debe4d2fa078a1e510c46977','alert.verified','person/tests (token)','f61f5374e9844dcb988b5981b3cff8ac','2026-11-27T09:32:18.748Z','2026-11-27T09:32:18.748Z','{"alert":"f61f5374e9844dcb988b5981b3cff8ac","incident":"1c1be9c125fa41b8b6f65aafea95d20f","by":"tests (token)","note":"seen","title":"Door forced open","place":"ground_floor"}');
INSERT INTO "events" VALUES(31,'fbdb381fe60b4bf3bb61c7d3abc2f53a','action.confirmed','hub/actions','console','2026-11-27T09:32:18.785Z','2026-11-27T09:32:18.785Z','{"key":"962e734699b541e8b963f2eee2fd9db5","kind":"notice","target":"console","what":"Tell School resource officer, Front office through Console","alert":"f61f5374e9844dcb988b5981b3cff8ac","incident":"1c1be9c125fa41b8b6f65aafea95d20f","detail":"printed","seconds":0.037,"attempts":1,"about":"verdict","to":["School resource officer","Front office"]}');
INSERT INTO "events" VALUES(32,'35d2db1b297547a5bf3a5db39ef9b603','action.confirmed','hub/actions','logbook','2026-11-27T09:32:18.786Z','2026-11-27T09:32:18.786Z','{"key":"a62d7c1e98394117a57fc4449a62b0bf","kind":"notice","target":"logbook","what":"Tell School resource officer, Front office through Logbook","alert":"f61f5374e9844dcb988b5981b3cff8ac","incident":"1c1be9c125fa41b8b6f65aafea95d20f","detail":"written down","seconds":0.038,"attempts":1,"about":"verdict","to":["School resource officer","Front office"]}');
INSERT INTO "events" VALUES(33,'b4c3948a3eba4b69813c68ca996f2795','picture.saved','camera/science_corridor','science_corridor','2026-11-27T09:32:19.876Z','2026-11-27T09:32:19.884Z','{"camera":"science_corridor","incident":"6abc876668164fd694cf34af215e777a","picture":"7ca8a5c4d68e4880b518ae07125678ad.jpg","offset_s":4.0}');
INSERT INTO "events" VALUES(34,'05269ef30a404645ab329bb0e88986ea','zone.left','camera/yard','yard','2026-11-27T09:32:20.476Z','2026-11-27T09:32:20.585Z','{"camera":"yard","place":"yard","zone":"Yard","track":1,"label":"person","score":0.3422,"box":[542.3,164.3,640.0,278.6],"frame":[640,360],"picture":"209337158e844e139c65735b97976ded.jpg","guessing":true}');
INSERT INTO "events" VALUES(35,'ac87e8e50b6d4c67a6bf9134bdc482bd','zone.entered','camera/lobby','lobby','2026-11-27T09:32:21.077Z','2026-11-27T09:32:21.263Z','{"camera":"lobby","place":"lobby","zone":"Doorway","track":4,"label":"person","score":0.45,"box":[107.5,112.0,193.6,359.4],"frame":[640,360],"picture":"aec2cf52b80148fa85979b1fabf3ab41.jpg","guessing":true}');
INSERT INTO "events" VALUES(36,'135f855257c24e8db86dcbcd9e01abf9','zone.left','camera/yard','yard','2026-11-27T09:32:21.276Z','2026-11-27T09:32:21.386Z','{"camera":"yard","place":"yard","zone":"Yard","track":2,"label":"person","score":0.45,"box":[0.0,174.7,37.2,303.8],"frame":[640,360],"picture":"b9fc4b2a3cb44a42afd468d3b7edfee5.jpg","guessing":true}');
INSERT INTO "events" VALUES(37,'8424b45828a94e558de024cb35ff973f','zone.left','camera/car_park','car_park','2026-11-27T09:32:22.077Z','2026-11-27T09:32:22.223Z','{"camera":"car_park","place":"car_park","zone":"Car park","track":2,"label":"person","score":0.3001,"box":[348.0,120.0,476.1,232.0],"frame":[640,360],"picture":"c62591e040d24d3f8463abf32c57780f.jpg","guessing":true}');
INSERT INTO "events" VALUES(38,'664ea57459e941578eb607ab10034e09','zone.entered','camera/car_park','car_park','2026-11-27T09:32:22.677Z','2026-11-27T09:32:22.853Z','{"camera":"car_park","place":"car_park","zone":"Car park","track":4,"label":"person","score":0.45,"box":[220.1,152.0,341.6,296.0],"frame":[640,360],"picture":"33ae261592d242b393cae8c2ea2f6e7a.jpg","guessing":true}');
INSERT INTO "events" VALUES(39,'57aed36c00f44eb6abda025dec4ddb2a','zone.entered','camera/lobby','lobby','2026-11-27T09:32:25.277Z','2026-11-27T09:32:25.347Z','{"camera":"lobby","place":"lobby","zone":"Doorway","track":5,"label":"car","score":0.35,"box":[204.0,64.0,388.0,192.2],"frame":[640,360],"picture":"327da845b213447eada36e541293edc4.jpg","guessing":true}');
INSERT INTO "events" VALUES(40,'9e632930b6e547ebb75028960231ef21','zone.entered','camera/car_park','car_park','2026-11-27T09:32:26.877Z','2026-11-27T09:32:26.968Z','{"camera":"car_park","place":"car_park","zone":"Car park","track":5,"label":"person","score":0.45,"box":[489.0,200.0,590.8,344.0],"frame":[640,360],"picture":"5fffd26c881048b295f13e01621246a0.jpg","guessing":true}');
INSERT INTO "events" VALUES(41,'f4031345e84f4802a164adacd823e19b','zone.entered','camera/car_park','car_park','2026-11-27T09:32:26.877Z','2026-11-27T09:32:26.968Z','{"camera":"car_park","place":"car_park","zone":"Car park","track":6,"label":"person","score":0.3,"box":[346.9,112.0,481.3,232.0],"frame":[640,360],"picture":"5fffd26c881048b295f13e01621246a0.jpg","guessing":true}');
INSERT INTO "events" VALUES(42,'40768a26f0d34081a0d45abc26890e9d','zone.left','camera/lobby','lobby','2026-11-27T09:32:27.077Z','2026-11-27T09:32:27.212Z','{"camera":"lobby","place":"lobby","zone":"Doorway","track":3,"label":"person","score":0.45,"box":[0.0,182.9,58.6,360.0],"frame":[640,360],"picture":"8b4365572a0a4191aff81f2e267694a7.jpg","guessing":true}');
INSERT INTO "events" VALUES(43,'129349d8e6fa40109ff2330d98d4f47b','zone.entered','camera/yard','yard','2026-11-27T09:32:28.076Z','2026-11-27T09:32:28.092Z','{"camera":"yard","place":"yard","zone":"Yard","track":3,"label":"person","score":0.3375,"box":[1.7,154.6,126.1,265.5],"frame":[640,360],"picture":"b3ee3d1712ea4fb3bd9a5519f65d1fbd.jpg","guessing":true}');
INSERT INTO "events" VALUES(44,'1e5a1b57eb1e438e8317b4a1a186eda3','zone.left','camera/lobby','lobby','2026-11-27T09:32:30.877Z','2026-11-27T09:32:31.089Z','{"camera":"lobby","place":"lobby","zone":"Doorway","track":5,"label":"car","score":0.35,"box":[204.0,64.0,388.0,192.0],"frame":[640,360],"picture":"098d460c36794ed5adec025a061365e4.jpg","guessing":true}');
INSERT INTO "events" VALUES(45,'049a543cd78348a9b6ac5a35b89144e7','zone.left','camera/car_park','car_park','2026-11-27T09:32:31.277Z','2026-11-27T09:32:31.475Z','{"camera":"car_park","place":"car_park","zone":"Car park","track":3,"label":"car","score":0.35,"box":[388.0,247.9,611.9,352.1],"frame":[640,360],"picture":"41dbaf4b9d0f4adea79153eb8f3dea74.jpg","guessing":true}');
INSERT INTO "events" VALUES(46,'e9c1a31e3eef46dda6291a79a1a5eb1b','zone.left','camera/car_park','car_park','2026-11-27T09:32:31.277Z','2026-11-27T09:32:31.475Z','{"camera":"car_park","place":"car_park","zone":"Car park","track":4,"label":"person","score":0.3103,"box":[0.0,206.4,115.4,313.9],"frame":[640,360],"picture":"41dbaf4b9d0f4adea79153eb8f3dea74.jpg","guessing":true}');
INSERT INTO "events" VALUES(47,'780e71139fca4f3da1deeddbc9a22ef2','zone.entered','camera/lobby','lobby','2026-11-27T09:32:32.077Z','2026-11-27T09:32:32.149Z','{"camera":"lobby","place":"lobby","zone":"Doorway","track":6,"label":"person","score":0.45,"box":[520.2,104.0,564.9,160.9],"frame":[640,360],"picture":"9160c348ab944759afcdedc340bca629.jpg","guessing":true}');
INSERT INTO "events" VALUES(48,'8b302e83d25c48afbc1a21ff5b88cbb0','zone.entered','camera/lobby','lobby','2026-11-27T09:32:32.077Z','2026-11-27T09:32:32.149Z','{"camera":"lobby","place":"lobby","zone":"Doorway","track":7,"label":"person","score":0.45,"box":[525.4,247.1,558.0,303.1],"frame":[640,360],"picture":"9160c348ab944759afcdedc340bca629.jpg","guessing":true}');
INSERT INTO "events" VALUES(49,'9849581ed03c46d592de5c7b61b06f0e','zone.entered','camera/lobby','lobby','2026-11-27T09:32:32.477Z','2026-11-27T09:32:32.550Z','{"camera":"lobby","place":"lobby","zone":"Doorway","track":8,"label":"person","score":0.45,"box":[76.4,157.7,172.8,357.7],"frame":[640,360],"picture":"262ea066667e4235872f9044033de3e8.jpg","guessing":true}');
INSERT INTO "events" VALUES(50,'f3b73d56cd1d4ac79f57c37cab2a9a28','zone.left','camera/lobby','lobby','2026-11-27T09:32:33.277Z','2026-11-27T09:32:33.386Z','{"camera":"lobby","place":"lobby","zone":"Doorway","track":4,"label":"person","score":0.3773,"box":[210.6,62.4,330.0,207.4],"frame":[640,360],"picture":"c6d7964d101843acaab01e1708a956e3.jpg","guessing":true}');
CREATE TABLE incident_entries (
	id INTEGER NOT NULL, 
	incident TEXT NOT NULL, 
	event TEXT NOT NULL, 
	time TEXT NOT NULL, 
	received TEXT NOT NULL, 
	source TEXT NOT NULL, 
	type TEXT NOT NULL, 
	text TEXT NOT NULL, 
	tone TEXT NOT NULL, 
	picture TEXT, 
	data TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(incident) REFERENCES incidents (id)
);
INSERT INTO "incident_entries" VALUES(1,'1c1be9c125fa41b8b6f65aafea95d20f','dee4a980e95947448d1b350db7596217','2026-11-27T09:31:41.543Z','2026-11-27T09:31:41.543Z','door/yard_door','door.forced','Yard door: forced open while locked','severe',NULL,'{"door": "yard_door", "name": "Yard door", "place": "ground_floor", "leads_to": "yard", "controller": "main_doors", "lock": "locked"}');
INSERT INTO "incident_entries" VALUES(2,'1c1be9c125fa41b8b6f65aafea95d20f','c6a5acd964c04ac99e2fa83e36199754','2026-11-27T09:31:41.543Z','2026-11-27T09:31:41.543Z','rule/forced_door','alert.raised','Alert: Door forced open','check',NULL,'{"alert": "f61f5374e9844dcb988b5981b3cff8ac", "rule": "forced_door", "title": "Door forced open", "severity": "high", "place": "ground_floor", "camera": "yard", "door": "yard_door", "incident": "1c1be9c125fa41b8b6f65aafea95d20f", "count": 1, "matched": ["door.forced"], "picture": null, "cause": "dee4a980e95947448d1b350db7596217"}');
INSERT INTO "incident_entries" VALUES(3,'1c1be9c125fa41b8b6f65aafea95d20f','5db7d8a7e6e4400ca4f3c9f93b71c6cb','2026-11-27T09:31:41.606Z','2026-11-27T09:31:41.606Z','hub/actions','action.confirmed','School resource officer, Front office: told through Console','ok',NULL,'{"key": "35bd955aa25d4c87910b40017adba674", "kind": "notice", "target": "console", "what": "Tell School resource officer, Front office through Console", "alert": "f61f5374e9844dcb988b5981b3cff8ac", "incident": "1c1be9c125fa41b8b6f65aafea95d20f", "detail": "printed", "seconds": 0.063, "attempts": 1, "about": "alert", "to": ["School resource officer", "Front office"]}');
INSERT INTO "incident_entries" VALUES(4,'1c1be9c125fa41b8b6f65aafea95d20f','9e34c52d72ff43568a98dc755f02bd89','2026-11-27T09:31:41.616Z','2026-11-27T09:31:41.616Z','hub/actions','action.confirmed','School resource officer, Front office: told through Logbook','ok',NULL,'{"key": "0a3bc80acd6646f487074e2af6ead69f", "kind": "notice", "target": "logbook", "what": "Tell School resource officer, Front office through Logbook", "alert": "f61f5374e9844dcb988b5981b3cff8ac", "incident": "1c1be9c125fa41b8b6f65aafea95d20f", "detail": "written down", "seconds": 0.073, "attempts": 1, "about": "alert", "to": ["School resource officer", "Front office"]}');
INSERT INTO "incident_entries" VALUES(5,'1c1be9c125fa41b8b6f65aafea95d20f','6737540687fa46b3a07526b0618a764e','2026-11-27T09:31:47.544Z','2026-11-27T09:31:47.544Z','door/yard_door','door.closed','Yard door: closed','neutral',NULL,'{"door": "yard_door", "name": "Yard door", "place": "ground_floor", "leads_to": "yard", "controller": "main_doors"}');
INSERT INTO "incident_entries" VALUES(6,'6abc876668164fd694cf34af215e777a','6ee1e9b6044e492695d484815e52e73f','2026-11-27T09:32:15.676Z','2026-11-27T09:32:15.832Z','camera/science_corridor','zone.entered','Person (guessed from motion) seen in Science wing','neutral','884c034bd8d0429f83a9039234a6e256.jpg','{"camera": "science_corridor", "place": "science_wing", "zone": "Corridor", "track": 1, "label": "person", "score": 0.45, "box": [285.5, 97.1, 342.9, 336.0], "frame": [640, 360], "picture": "884c034bd8d0429f83a9039234a6e256.jpg", "guessing": true}');
INSERT INTO "incident_entries" VALUES(7,'6abc876668164fd694cf34af215e777a','9c6cdb68f58c4728a5bbd600e68c3c5b','2026-11-27T09:32:15.832Z','2026-11-27T09:32:15.832Z','rule/closed_wing','alert.raised','Alert: Person in the closed science wing','check','884c034bd8d0429f83a9039234a6e256.jpg','{"alert": "971dc54979ef45fdb5a8dc259dbfc3e6", "rule": "closed_wing", "title": "Person in the closed science wing", "severity": "high", "place": "science_wing", "camera": "science_corridor", "door": "", "incident": "6abc876668164fd694cf34af215e777a", "count": 1, "matched": ["zone.entered", "label person 0.45", "place Science wing", "outside \"Science wing open\" (it was Fri 03:32)"], "picture": "884c034bd8d0429f83a9039234a6e256.jpg", "cause": "6ee1e9b6044e492695d484815e52e73f"}');
INSERT INTO "incident_entries" VALUES(8,'6abc876668164fd694cf34af215e777a','90b1685b8f934a2b84ef4716cade9651','2026-11-27T09:32:15.848Z','2026-11-27T09:32:15.848Z','hub/actions','action.confirmed','School resource officer: told through Console','ok',NULL,'{"key": "1bc1c9a387d44fa99ad5f65f211f8be0", "kind": "notice", "target": "console", "what": "Tell School resource officer through Console", "alert": "971dc54979ef45fdb5a8dc259dbfc3e6", "incident": "6abc876668164fd694cf34af215e777a", "detail": "printed", "seconds": 0.016, "attempts": 1, "about": "alert", "to": ["School resource officer"]}');
INSERT INTO "incident_entries" VALUES(9,'6abc876668164fd694cf34af215e777a','e8bd3522faa64d57a612c097c4dff6e1','2026-11-27T09:32:15.849Z','2026-11-27T09:32:15.849Z','hub/actions','action.confirmed','School resource officer: told through Logbook','ok',NULL,'{"key": "584c9460dd5249f49378ab62c07537d1", "kind": "notice", "target": "logbook", "what": "Tell School resource officer through Logbook", "alert": "971dc54979ef45fdb5a8dc259dbfc3e6", "incident": "6abc876668164fd694cf34af215e777a", "detail": "written down", "seconds": 0.017, "attempts": 1, "about": "alert", "to": ["School resource officer"]}');
INSERT INTO "incident_entries" VALUES(10,'6abc876668164fd694cf34af215e777a','6f91fe7a115843a58fd1976d35cf2db8','2026-11-27T09:32:11.876Z','2026-11-27T09:32:16.036Z','camera/science_corridor','picture.saved','Picture from Science wing camera, 4 s before','neutral','5cf9f30f113a4e21b42bc740bd06ec93.jpg','{"camera": "science_corridor", "incident": "6abc876668164fd694cf34af215e777a", "picture": "5cf9f30f113a4e21b42bc740bd06ec93.jpg", "offset_s": -4.0}');
INSERT INTO "incident_entries" VALUES(11,'6abc876668164fd694cf34af215e777a','1255da2915fd4c74bd47bb70cb0cbe15','2026-11-27T09:32:13.876Z','2026-11-27T09:32:16.039Z','camera/science_corridor','picture.saved','Picture from Science wing camera, 2 s before','neutral','6b0a6af29e75452baf33a8d8322f1868.jpg','{"camera": "science_corridor", "incident": "6abc876668164fd694cf34af215e777a", "picture": "6b0a6af29e75452baf33a8d8322f1868.jpg", "offset_s": -2.0}');
INSERT INTO "incident_entries" VALUES(12,'6abc876668164fd694cf34af215e777a','d46bb1c624524545900112a4dbb1b9df','2026-11-27T09:32:17.876Z','2026-11-27T09:32:18.072Z','camera/science_corridor','picture.saved','Picture from Science wing camera, 2 s after','neutral','f88b54da913b48d48d38669cb82f4d0b.jpg','{"camera": "science_corridor", "incident": "6abc876668164fd694cf34af215e777a", "picture": "f88b54da913b48d48d38669cb82f4d0b.jpg", "offset_s": 2.0}');
INSERT INTO "incident_entries" VALUES(13,'1c1be9c125fa41b8b6f65aafea95d20f','80e94676debe4d2fa078a1e510c46977','2026-11-27T09:32:18.748Z','2026-11-27T09:32:18.748Z','person/tests (token)','alert.verified','tests (token) verified the alert: seen','severe',NULL,'{"alert": "f61f5374e9844dcb988b5981b3cff8ac", "incident": "1c1be9c125fa41b8b6f65aafea95d20f", "by": "tests (token)", "note": "seen", "title": "Door forced open", "place": "ground_floor"}');
INSERT INTO "incident_entries" VALUES(14,'1c1be9c125fa41b8b6f65aafea95d20f','fbdb381fe60b4bf3bb61c7d3abc2f53a','2026-11-27T09:32:18.785Z','2026-11-27T09:32:18.785Z','hub/actions','action.confirmed','School resource officer, Front office: told of the verdict through Console','ok',NULL,'{"key": "962e734699b541e8b963f2eee2fd9db5", "kind": "notice", "target": "console", "what": "Tell School resource officer, Front office through Console", "alert": "f61f5374e9844dcb988b5981b3cff8ac", "incident": "1c1be9c125fa41b8b6f65aafea95d20f", "detail": "printed", "seconds": 0.037, "attempts": 1, "about": "verdict", "to": ["School resource officer", "Front office"]}');
INSERT INTO "incident_entries" VALUES(15,'1c1be9c125fa41b8b6f65aafea95d20f','35d2db1b297547a5bf3a5db39ef9b603','2026-11-27T09:32:18.786Z','2026-11-27T09:32:18.786Z','hub/actions','action.confirmed','School resource officer, Front office: told of the verdict through Logbook','ok',NULL,'{"key": "a62d7c1e98394117a57fc4449a62b0bf", "kind": "notice", "target": "logbook", "what": "Tell School resource officer, Front office through Logbook", "alert": "f61f5374e9844dcb988b5981b3cff8ac", "incident": "1c1be9c125fa41b8b6f65aafea95d20f", "detail": "written down", "seconds": 0.038, "attempts": 1, "about": "verdict", "to": ["School resource officer", "Front office"]}');
INSERT INTO "incident_entries" VALUES(16,'6abc876668164fd694cf34af215e777a','b4c3948a3eba4b69813c68ca996f2795','2026-11-27T09:32:19.876Z','2026-11-27T09:32:19.884Z','camera/science_corridor','picture.saved','Picture from Science wing camera, 4 s after','neutral','7ca8a5c4d68e4880b518ae07125678ad.jpg','{"camera": "science_corridor", "incident": "6abc876668164fd694cf34af215e777a", "picture": "7ca8a5c4d68e4880b518ae07125678ad.jpg", "offset_s": 4.0}');
CREATE TABLE incidents (
	id TEXT NOT NULL, 
	title TEXT NOT NULL, 
	severity TEXT NOT NULL, 
	state TEXT NOT NULL, 
	place TEXT NOT NULL, 
	opened TEXT NOT NULL, 
	updated TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "incidents" VALUES('1c1be9c125fa41b8b6f65aafea95d20f','Door forced open','high','open','ground_floor','2026-11-27T09:31:41.543Z','2026-11-27T09:32:18.748Z');
INSERT INTO "incidents" VALUES('6abc876668164fd694cf34af215e777a','Person in the closed science wing','high','open','science_wing','2026-11-27T09:32:15.832Z','2026-11-27T09:32:15.832Z');
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
CREATE TABLE sessions (
	digest TEXT NOT NULL, 
	user TEXT NOT NULL, 
	csrf TEXT NOT NULL, 
	created TEXT NOT NULL, 
	expires TEXT NOT NULL, 
	revoked TEXT, 
	PRIMARY KEY (digest), 
	FOREIGN KEY(user) REFERENCES users (name) ON DELETE CASCADE
);
INSERT INTO "sessions" VALUES('d1','teacher','c1','2026-11-27T09:31:00.000Z','2026-11-28T09:31:00.000Z',NULL);
CREATE TABLE setup_links (
	digest TEXT NOT NULL, 
	created TEXT NOT NULL, 
	expires TEXT NOT NULL, 
	used TEXT, 
	PRIMARY KEY (digest)
);
INSERT INTO "setup_links" VALUES('a22c9f00c65fd404e31ce8741a5e82a02e0d9dad790ce6a1b995b93f9904529a','2026-11-27T09:31:16.529Z','2026-11-27T10:31:16.529Z',NULL);
CREATE TABLE tokens (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	role TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	created TEXT NOT NULL, 
	revoked TEXT, 
	PRIMARY KEY (id), 
	UNIQUE (name), 
	UNIQUE (digest)
);
INSERT INTO "tokens" VALUES('bb424e6961994b6694671e9f7ff7051b','tests','admin','f55a6800009b3ef5290fc3a4111839e7906df59a69c4a036c66e5b14ae41c226','2026-11-27T09:31:22.972Z',NULL);
CREATE TABLE users (
	name TEXT NOT NULL, 
	role TEXT NOT NULL, 
	password_hash TEXT NOT NULL, 
	created TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "users" VALUES('teacher','sro','$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$not-a-real-hash','2026-11-27T09:31:00.000Z');
CREATE INDEX ix_incidents_open ON incidents (updated) WHERE state = 'open';
CREATE INDEX ix_alerts_state ON alerts (state, opened);
CREATE INDEX ix_alerts_incident ON alerts (incident);
CREATE INDEX ix_alerts_scope ON alerts (rule, scope, state);
CREATE INDEX ix_actions_alert ON actions (alert);
CREATE INDEX ix_actions_target ON actions (kind, target);
CREATE INDEX ix_actions_pending ON actions (lane, due) WHERE state = 'pending';
CREATE INDEX ix_actions_incident ON actions (incident);
CREATE INDEX ix_entries_story ON incident_entries (incident, time);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',50);
COMMIT;
