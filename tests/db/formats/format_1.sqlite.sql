-- object packs/01m86gh5mwbfnnvdz8p6sh9xe8.pack 4c4e4c5041434b3166726f6d2074686520666f726d657220666f726d6174789c0d8d390ec3300cc0fea239282ccbf7578a0e7263351e7a20d65034c8dfeb810317f280f6d2bdb701e57ac0da1f6d2814181b5b1f8a272f8431648b18eb8473f4946b338c649241aa1191a2ab52f33d0526c7bc52b6e2c4a424b0c087759b41bee857a78efe6b50ac3d6f0bc87b7ff2bce1f9072e7f2689535f317692117b117a97539be0a1308013b711374bfb9c86a34aad392f4f088f7e4f31744d0425d703a23a01ca11c3d616000000000000001600000000000000000000007f3593f35d89c2def278daaf50f783b9ba0442e7b2b388840aa52be323c2c1c9548ee1e0e03e703a01f72e85540902ad86000000000000007900000000000000010000002a26c3d035f89490394c31dea6345b2a05e5a7795949d68c00b39d4b87fe1bbba8000000000000004c4e4c5041434b45
BEGIN TRANSACTION;
CREATE TABLE alias_events (
    id INTEGER NOT NULL,
    collection_id INTEGER NOT NULL,
    alias VARCHAR(128) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    at BIGINT NOT NULL,
    user TEXT NOT NULL,
    host TEXT NOT NULL,
    from_number INTEGER,
    to_number INTEGER,
    why TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(collection_id) REFERENCES collections (id)
);
INSERT INTO "alias_events" VALUES(1,1,'best','move',1795514996413886,'ada','vm',NULL,0,'logged');
CREATE TABLE aliases (
    collection_id INTEGER NOT NULL,
    name VARCHAR(128) NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (collection_id, name),
    FOREIGN KEY(collection_id) REFERENCES collections (id)
)
 WITHOUT ROWID
;
INSERT INTO "aliases" VALUES(1,'best',0);
CREATE TABLE blobs (
    digest BLOB NOT NULL,
    object_id INTEGER NOT NULL,
    "offset" BIGINT NOT NULL,
    length BIGINT NOT NULL,
    size BIGINT NOT NULL,
    fast BLOB NOT NULL,
    codec SMALLINT NOT NULL,
    PRIMARY KEY (digest),
    FOREIGN KEY(object_id) REFERENCES objects (id)
)
 WITHOUT ROWID
;
INSERT INTO "blobs" VALUES(X'535F317692117B117A97539BE0A1308013B711374BFB9C86A34AAD392F4F088F',1,8,22,22,X'7E4F31744D0425D703A23A01CA11C3D6',0);
INSERT INTO "blobs" VALUES(X'7F3593F35D89C2DEF278DAAF50F783B9BA0442E7B2B388840AA52BE323C2C1C9',1,30,121,134,X'548EE1E0E03E703A01F72E85540902AD',1);
CREATE TABLE collections (
    id INTEGER NOT NULL,
    entity VARCHAR(128) NOT NULL,
    project VARCHAR(128) NOT NULL,
    name VARCHAR(128) NOT NULL,
    type VARCHAR(128) NOT NULL,
    description TEXT NOT NULL,
    next_number INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (id),
    UNIQUE (entity, project, name)
);
INSERT INTO "collections" VALUES(1,'local','vision','digits','dataset','',1,1795514996413886,NULL);
CREATE TABLE edges (
    run_id INTEGER NOT NULL,
    output SMALLINT NOT NULL,
    version_id INTEGER NOT NULL,
    role VARCHAR(128) NOT NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (run_id, output, version_id, role),
    FOREIGN KEY(run_id) REFERENCES runs (id),
    FOREIGN KEY(version_id) REFERENCES versions (id)
)
 WITHOUT ROWID
;
INSERT INTO "edges" VALUES(1,1,1,'output',1795514996413886);
INSERT INTO "edges" VALUES(2,0,1,'input',1795514996454656);
CREATE TABLE memberships (
    collection_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    version_id INTEGER NOT NULL,
    linked_at BIGINT NOT NULL,
    linked_by TEXT NOT NULL,
    unlinked_at BIGINT,
    PRIMARY KEY (collection_id, number),
    FOREIGN KEY(collection_id) REFERENCES collections (id),
    FOREIGN KEY(version_id) REFERENCES versions (id)
)
 WITHOUT ROWID
;
INSERT INTO "memberships" VALUES(1,0,1,1795514996413886,'ada',NULL);
CREATE TABLE meta (
    "key" VARCHAR(64) NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('format','1');
CREATE TABLE objects (
    id INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    size BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE ("key")
);
INSERT INTO "objects" VALUES(1,'packs/01m86gh5mwbfnnvdz8p6sh9xe8.pack',335,1795514996406768);
CREATE TABLE runs (
    id INTEGER NOT NULL,
    run_id VARCHAR(64) NOT NULL,
    entity VARCHAR(128) NOT NULL,
    project VARCHAR(128) NOT NULL,
    name TEXT NOT NULL,
    job_type VARCHAR(128) NOT NULL,
    state VARCHAR(16) NOT NULL,
    config JSON NOT NULL,
    code JSON NOT NULL,
    user TEXT NOT NULL,
    host TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    finished_at BIGINT,
    PRIMARY KEY (id),
    UNIQUE (run_id)
);
INSERT INTO "runs" VALUES(1,'r1','local','vision','first','train','finished','{"lr": 0.5, "deep": {"x": "y"}}','{"commit": "abc"}','ada','vm',1795514996369601,1795514996431123);
INSERT INTO "runs" VALUES(2,'r2','local','vision','open','','running','{}','{}','ada','vm',1795514996443887,NULL);
CREATE TABLE versions (
    id INTEGER NOT NULL,
    collection_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    digest BLOB NOT NULL,
    size BIGINT NOT NULL,
    file_count INTEGER NOT NULL,
    description TEXT NOT NULL,
    metadata JSON NOT NULL,
    tags JSON NOT NULL,
    run_id INTEGER,
    ttl_s BIGINT,
    hold TEXT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    deleted_at BIGINT,
    deleted_by TEXT,
    purged_at BIGINT,
    PRIMARY KEY (id),
    UNIQUE (collection_id, number),
    FOREIGN KEY(collection_id) REFERENCES collections (id),
    FOREIGN KEY(run_id) REFERENCES runs (id)
);
INSERT INTO "versions" VALUES(1,1,0,X'7F3593F35D89C2DEF278DAAF50F783B9BA0442E7B2B388840AA52BE323C2C1C9',22,1,'','{}','[]',1,NULL,NULL,1795514996413886,'ada',NULL,NULL,NULL);
CREATE INDEX collections_by_name ON collections (name);
CREATE INDEX versions_by_digest ON versions (digest, collection_id);
CREATE INDEX alias_events_by_alias ON alias_events (collection_id, alias, id);
CREATE INDEX memberships_by_version ON memberships (version_id);
CREATE INDEX edges_by_version ON edges (version_id, output, run_id);
COMMIT;
