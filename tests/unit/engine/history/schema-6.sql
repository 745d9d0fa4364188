BEGIN TRANSACTION;
CREATE TABLE config_map (
            number INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
            server TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, before TEXT NOT NULL,
            after TEXT NOT NULL, record_before TEXT NOT NULL, record_after TEXT NOT NULL, outcome TEXT,
            UNIQUE (run, namespace, name)
        ) STRICT
;
INSERT INTO "config_map" VALUES(1,1,'deployment/coredns','kube-system','coredns','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','','east','changed');
INSERT INTO "config_map" VALUES(2,2,'deployment/coredns','kube-system','coredns','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','','west','changed');
CREATE TABLE correction (
            number INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL, path TEXT NOT NULL, found TEXT NOT NULL,
            clock REAL NOT NULL, boot_id TEXT NOT NULL, uptime REAL NOT NULL
        , place TEXT NOT NULL DEFAULT '') STRICT
;
INSERT INTO "correction" VALUES(1,'kube-system/coredns','kube-system/coredns','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc',1796069639.5,'boot',41956.967027386,'');
CREATE TABLE node (
            number INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
            name TEXT NOT NULL, policy_digest TEXT NOT NULL, outcome TEXT, action TEXT NOT NULL, transaction_id TEXT,
            verified INTEGER, code TEXT, reason TEXT NOT NULL, seconds REAL NOT NULL, UNIQUE (run, name)
        ) STRICT
;
INSERT INTO "node" VALUES(1,1,'node1','d','failed','none',NULL,NULL,NULL,'',0.0);
INSERT INTO "node" VALUES(2,2,'node1','d','failed','none',NULL,NULL,NULL,'',0.0);
CREATE TABLE "quarantine" (
            node TEXT NOT NULL, place TEXT NOT NULL, since TEXT NOT NULL, path TEXT NOT NULL, reason TEXT NOT NULL,
            owner TEXT, PRIMARY KEY (node, place)
        ) STRICT
;
INSERT INTO "quarantine" VALUES('kube-system/coredns','','2026-11-24T06:09:06+00:00','kube-system/coredns','reverted',NULL);
CREATE TABLE run (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, tool TEXT NOT NULL,
            started TEXT NOT NULL, who TEXT NOT NULL, options TEXT NOT NULL, config TEXT NOT NULL,
            config_digest TEXT NOT NULL, note TEXT NOT NULL, resumes TEXT, rolls_back TEXT,
            ended TEXT, exit_code INTEGER, halted TEXT
        ) STRICT
;
INSERT INTO "run" VALUES(1,'run-1','apply','harbor-agent 0.1.0','2026-11-24T06:09:06+00:00','ops@controller','{"selection":{"sources":["/srv/east.ini"]}}','','','',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(2,'run-2','apply','harbor-agent 0.1.0','2026-11-24T06:09:06+00:00','ops@controller','{"selection":{"sources":["/srv/west.ini"]}}','','','',NULL,NULL,NULL,NULL,NULL);
CREATE TABLE secret_scope (
            number INTEGER PRIMARY KEY AUTOINCREMENT, server TEXT NOT NULL, registry TEXT NOT NULL, name TEXT NOT NULL,
            namespaces TEXT NOT NULL, form TEXT NOT NULL, username TEXT NOT NULL, run TEXT NOT NULL,
            applied TEXT NOT NULL
        ) STRICT
;
CREATE INDEX node_name ON node (name, run);
CREATE INDEX correction_node ON correction (node);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('run',2);
INSERT INTO "sqlite_sequence" VALUES('node',2);
INSERT INTO "sqlite_sequence" VALUES('config_map',2);
INSERT INTO "sqlite_sequence" VALUES('correction',1);
COMMIT;
PRAGMA user_version = 6;
