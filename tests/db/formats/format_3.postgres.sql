-- object objects/87/871da33a2d89ae6a00a212cba81ede950f6ebcdcf2716b557cf8fb3f3d164421-s1r91x352gc5 504152311504152615381591a5e58c0f3c1504150012000028b52ffd20139900000a0000005f74696d657374616d70010000006115001512152415c4fda4d8021c15081510150615061c3600280161180a5f74696d657374616d70111100000028b52ffd200949000002000000080101030c15001540154215c6b08b85051c1508150a150615061c180801000000000000001808000000000000000016002808010000000000000018080000000000000000111100000028b52ffd2020c500009002000000080180020404000102000000220001006410061500152c153e15ffc5f6840b1c15081500150615061c180800000000000000401808000000000000f03f1604280800000000000000401808000000000000f03f111100000028b52ffd2016b10000020000000303000000000000f03f000000000000004015001520153215eafdf4fd0b1c1508150a150615061c180802000000000000001808010000000000000016042808020000000000000018080100000000000000111100000028b52ffd201081000002000000030c8002040202020000000015041500151215aea9e79c023c1500150012000028b52ffd20000100001500150e152015c5b6ebce071c15081510150615061c360800000028b52ffd20073900000200000008000015041500151215aea9e79c023c1500150012000028b52ffd20000100001500150e152015c5b6ebce071c15081510150615061c360800000028b52ffd2007390000020000000800004c4e524620f35db053206f991504197c35001806736368656d61150c00150c250218036b657925004c1c0000001504250218047374657000150a250218066e756d62657200150425021807696e746567657200150c250218047465787425004c1c000000150c2502180677726974657225004c1c0000001608191c196c26001c150c19350006101918036b6579150c160816b80116dc01266826081c3600280161180a5f74696d657374616d70111100192c15041500150200150015101502003c162c19061926000800000026001c15041925060a19180473746570150c160816ca0116cc0126e4013c180801000000000000001808000000000000000016002808010000000000000018080000000000000000111100191c1500150a1502003c29061926000800000026001c150a192506001918066e756d626572150c160816b60116c80126b0033c180800000000000000401808000000000000f03f1604280800000000000000401808000000000000f03f111100191c150015001502003c29061926040400000026001c15041925060a191807696e7465676572150c160816aa0116bc0126f8043c180802000000000000001808010000000000000016042808020000000000000018080100000000000000111100191c1500150a1502003c29061926040400000026001c150c193500061019180474657874150c1608166c16900126ee0626b4061c360800192c15041500150200150015101502003c160019061926080000000026001c150c1935000610191806777269746572150c1608166c16900126fe0726c4071c360800192c15041500150200150015101502003c160019061926080000000016ba071608260816cc0800194c180a6c696e65616c2e72756e180f6c6f63616c2f766973696f6e2f723100180d6c696e65616c2e73747265616d1807686973746f727900180d6c696e65616c2e68696464656e180566616c736500180c4152524f573a736368656d6118cc062f2f2f2f2f33414341414151414141414141414b414134414267414641416741436741414141414242414151414141414141414b41417741414141454141674143674141414b674141414145414141414177414141477741414141304141414142414141414b6a2f2f2f38554141414142414141414155414141426d5957787a5a51414141413041414142736157356c5957777561476c6b5a4756754141414131502f2f2f7851414141414541414141427741414147687063335276636e6b414451414141477870626d56686243357a64484a6c5957304141414149414177414241414941416741414141634141414142414141414138414141427362324e686243393261584e7062323476636a45414367414141477870626d5668624335796457344141415941414142494151414142414541414c774141414349414141415841414141415141414144672f762f2f414141424252514141414245414141414941414141415141414141414141414142674141414864796158526c63674141434141554141674142414149414141414541414141414541414141414141414141414141414f442b2f2f38414141414249414141414e6a2b2f2f39302f2f2f2f41414142425241414141415941414141424141414141414141414145414141416447563464414141414141412f2f2f2f6e502f2f2f7741414151495141414141474141414141514141414141414141414277414141476c756447566e5a58494150502f2f2f77414141414641414141417a502f2f2f77414141514d514141414149414141414151414141414141414141426741414147353162574a6c6367414141414147414167414267414741414141414141434142414146414149414159414277414d41414141454141514141414141414142416841414141415941414141424141414141414141414145414141416333526c63414141414143772f2f2f2f414141414155414141414151414267414341414741416341444141514142514145414141414141414151555541414141514141414142774141414145414141414141414141414d41414142725a586b4143414149414141414241414941414141444141414141674144414149414163414341414141414141414145674141414142414145414151414141413d001820706172717565742d6370702d6172726f772076657273696f6e2032362e302e31196c1c00001c00001c00001c00001c00001c0000005106000050415231
-- object objects/e6/e60387fc67574b0f16e090277ca40b1e049141c14e7fa1a280667b4fd2b5140f-zg16jbez635c 504152311504152615381591a5e58c0f3c1504150012000028b52ffd20139900000a0000005f74696d657374616d70010000006115001512152415c8fde2fc061c15041510150615061c3600280161180a5f74696d657374616d70111100000028b52ffd200949000002000000040101030215001520153215d3d9a982051c1504150a150615061c180800000000000000001808000000000000000016002808000000000000000018080000000000000000111100000028b52ffd2010810000020000000401800204020000000000001500151c152e158fac9c0f1c15041500150615061c1808000000000000f03f1808000000000000f03f16022808000000000000f03f1808000000000000f03f111100000028b52ffd200e710000020000000301000000000000f03f150015161528159fadb1ec011c1504150a150615061c180801000000000000001808010000000000000016022808010000000000000018080100000000000000111100000028b52ffd200b590000020000000302800204010215041500151215aea9e79c023c1500150012000028b52ffd20000100001500150e1520158dd3bcdf061c15041510150615061c360400000028b52ffd20073900000200000004000015041500151215aea9e79c023c1500150012000028b52ffd20000100001500150e1520158dd3bcdf061c15041510150615061c360400000028b52ffd2007390000020000000400004c4e5246a3c8800439e219101504197c35001806736368656d61150c00150c250218036b657925004c1c0000001504250218047374657000150a250218066e756d62657200150425021807696e746567657200150c250218047465787425004c1c000000150c2502180677726974657225004c1c0000001604191c196c26001c150c19350006101918036b6579150c160416b80116dc01266826081c3600280161180a5f74696d657374616d70111100192c15041500150200150015101502003c161619061926000400000026001c15041925060a19180473746570150c160416aa0116bc0126e4013c180800000000000000001808000000000000000016002808000000000000000018080000000000000000111100191c1500150a1502003c29061926000400000026001c150a192506001918066e756d626572150c160416a40116b60126a0033c1808000000000000f03f1808000000000000f03f16022808000000000000f03f1808000000000000f03f111100191c150015001502003c29061926020200000026001c15041925060a191807696e7465676572150c160416a00116b20126d6043c180801000000000000001808010000000000000016022808010000000000000018080100000000000000111100191c1500150a1502003c29061926020200000026001c150c193500061019180474657874150c1604166c16900126c2062688061c360400192c15041500150200150015101502003c160019061926040000000026001c150c1935000610191806777269746572150c1604166c16900126d2072698071c360400192c15041500150200150015101502003c160019061926040000000016fe061604260816a00800194c180a6c696e65616c2e72756e180f6c6f63616c2f766973696f6e2f723300180d6c696e65616c2e73747265616d1807686973746f727900180d6c696e65616c2e68696464656e180566616c736500180c4152524f573a736368656d6118cc062f2f2f2f2f33414341414151414141414141414b414134414267414641416741436741414141414242414151414141414141414b41417741414141454141674143674141414b674141414145414141414177414141477741414141304141414142414141414b6a2f2f2f38554141414142414141414155414141426d5957787a5a51414141413041414142736157356c5957777561476c6b5a4756754141414131502f2f2f7851414141414541414141427741414147687063335276636e6b414451414141477870626d56686243357a64484a6c5957304141414149414177414241414941416741414141634141414142414141414138414141427362324e686243393261584e7062323476636a4d414367414141477870626d5668624335796457344141415941414142494151414142414541414c774141414349414141415841414141415141414144672f762f2f414141424252514141414245414141414941414141415141414141414141414142674141414864796158526c63674141434141554141674142414149414141414541414141414541414141414141414141414141414f442b2f2f38414141414249414141414e6a2b2f2f39302f2f2f2f41414142425241414141415941414141424141414141414141414145414141416447563464414141414141412f2f2f2f6e502f2f2f7741414151495141414141474141414141514141414141414141414277414141476c756447566e5a58494150502f2f2f77414141414641414141417a502f2f2f77414141514d514141414149414141414151414141414141414141426741414147353162574a6c6367414141414147414167414267414741414141414141434142414146414149414159414277414d41414141454141514141414141414142416841414141415941414141424141414141414141414145414141416333526c63414141414143772f2f2f2f414141414155414141414151414267414341414741416341444141514142514145414141414141414151555541414141514141414142774141414145414141414141414141414d41414142725a586b4143414149414141414241414941414141444141414141674144414149414163414341414141414141414145674141414142414145414151414141413d001820706172717565742d6370702d6172726f772076657273696f6e2032362e302e31196c1c00001c00001c00001c00001c00001c0000005106000050415231
-- object packs/01m873f0st4a1t8xg4h8p7ws88.pack 4c4e4c5041434b3166726f6d2074686520666f726d657220666f726d617478789c658e3b5203311005efa2780be62369a4bd0a4530a3d5e00db029af020a97ef8e4870e0e0059d74bf5be8e771ddfb11d6b75bd8f68f7e8cb086e3a494f29a3839a3e44a8862735a2571b50e8a0c05904d1059a2b9d556b27254ddb8924787523c2ce14bc7690af5657c8f89c7fed3c34a745f9e6bb44d598e6442d92046c04cd2b4ba6963f2d44a6270c30adc5adc0c88521194f94e6329f8a8d96bfb6fe1fd7d097eb97eeaf8835f29d34370616e6f74686572789c65cd316ec3300c85e1bb68365a89a244ca57293a5014d9786852c41a8a06b97bdda51932fec0c3fb6ec1cef3bad91ed6b75b18db87ed33ac613f0994ba8a21b228574563c3615ab110348a6c8e89298b51d33adc19cd9d72aeb17143263f26252ce14be6e9389497f93d8fdcb71f0b2bdd97670c06a554113a41ed1131a60aa4d2bc8b66f0a25c72f49e5accaa387a04284c891a2441e6f4c0faabfe53e9febe04bf5c3f65fec52ff584447e612072756e27732066696c65535f317692117b117a97539be0a1308013b711374bfb9c86a34aad392f4f088f7e4f31744d0425d703a23a01ca11c3d616000000000000001600000000000000000000002d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a48815c7401c0ec22eeeeeaf06c6480b2cd110100000000000000010000000000000000000000ecc2384958cf49edafd9c2276e6dacd6e2e2dfa17cc948d982dcc54753383022b4b1cb487014cea324e1ca271d1be8d3f100000000000000ae0000000000000001000000ae448ac86c4e8e4dec645729708ef41873ae79c6dff84eff73360989487f08e5057d597e4890d2b9fd5469fcd5f0a1620700000000000000070000000000000000000000a88f1a06c20d26d8c5bea4d7b03c317e0370c25e4175d56f6ce28784f122aacbf392994f74341673cdd57831219b5734f000000000000000ae00000000000000010000007a77b667b248679faff61157cd61eb10228b39b9f254105ef2d5ce82080dcf4de85065f8fa1aa66aeba8b1e88c0bd4cf0c000000000000000c0000000000000000000000bc9adac10be2b9096516ae5b0010a1bad36dd86020b12119fd46766ef7a1180bb8010000000000004c4e4c5041434b45

CREATE TABLE public.alias_events (
    id bigint NOT NULL,
    collection_id bigint NOT NULL,
    alias text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    at timestamp with time zone NOT NULL,
    "user" text NOT NULL COLLATE pg_catalog."C",
    host text NOT NULL COLLATE pg_catalog."C",
    from_number integer,
    to_number integer,
    why text NOT NULL COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.alias_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.alias_events_id_seq OWNED BY public.alias_events.id;
CREATE TABLE public.aliases (
    collection_id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    number integer NOT NULL
);
CREATE TABLE public.api_keys (
    id bigint NOT NULL,
    prefix text NOT NULL COLLATE pg_catalog."C",
    hash bytea NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    user_id bigint NOT NULL,
    scopes json,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone
);
CREATE SEQUENCE public.api_keys_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.api_keys_id_seq OWNED BY public.api_keys.id;
CREATE TABLE public.audit_log (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    "user" text NOT NULL COLLATE pg_catalog."C",
    key_prefix text NOT NULL COLLATE pg_catalog."C",
    address text NOT NULL COLLATE pg_catalog."C",
    request_id text NOT NULL COLLATE pg_catalog."C",
    operation text NOT NULL COLLATE pg_catalog."C",
    subject text NOT NULL COLLATE pg_catalog."C",
    outcome text NOT NULL COLLATE pg_catalog."C",
    why text NOT NULL COLLATE pg_catalog."C",
    before json,
    after json
);
CREATE SEQUENCE public.audit_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.audit_log_id_seq OWNED BY public.audit_log.id;
CREATE TABLE public.blob_holders (
    digest bytea NOT NULL,
    kind smallint NOT NULL,
    holder bigint NOT NULL
);
CREATE TABLE public.blobs (
    digest bytea NOT NULL,
    object_id bigint NOT NULL,
    "offset" bigint NOT NULL,
    length bigint NOT NULL,
    size bigint NOT NULL,
    fast bytea NOT NULL,
    codec smallint NOT NULL
);
CREATE TABLE public.collections (
    id bigint NOT NULL,
    entity text NOT NULL COLLATE pg_catalog."C",
    project text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    description text NOT NULL COLLATE pg_catalog."C",
    next_number integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone
);
CREATE SEQUENCE public.collections_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.collections_id_seq OWNED BY public.collections.id;
CREATE TABLE public.edges (
    run_id bigint NOT NULL,
    output smallint NOT NULL,
    version_id bigint NOT NULL,
    role text NOT NULL COLLATE pg_catalog."C",
    recorded_at timestamp with time zone NOT NULL
);
CREATE TABLE public.login_attempts (
    id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    address text NOT NULL COLLATE pg_catalog."C",
    at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.login_attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.login_attempts_id_seq OWNED BY public.login_attempts.id;
CREATE TABLE public.memberships (
    collection_id bigint NOT NULL,
    number integer NOT NULL,
    version_id bigint NOT NULL,
    linked_at timestamp with time zone NOT NULL,
    linked_by text NOT NULL COLLATE pg_catalog."C",
    unlinked_at timestamp with time zone
);
CREATE TABLE public.meta (
    key text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.objects (
    id bigint NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.objects_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.objects_id_seq OWNED BY public.objects.id;
CREATE TABLE public.projects (
    id bigint NOT NULL,
    entity text NOT NULL COLLATE pg_catalog."C",
    project text NOT NULL COLLATE pg_catalog."C",
    visibility text NOT NULL COLLATE pg_catalog."C",
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.projects_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.projects_id_seq OWNED BY public.projects.id;
CREATE TABLE public.protected_aliases (
    entity text NOT NULL COLLATE pg_catalog."C",
    project text NOT NULL COLLATE pg_catalog."C",
    collection text NOT NULL COLLATE pg_catalog."C",
    alias text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.roles (
    id bigint NOT NULL,
    user_id bigint,
    team_id bigint,
    entity text NOT NULL COLLATE pg_catalog."C",
    project text NOT NULL COLLATE pg_catalog."C",
    collection text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.roles_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.roles_id_seq OWNED BY public.roles.id;
CREATE TABLE public.run_alerts (
    id bigint NOT NULL,
    run_id bigint NOT NULL,
    alert_id text NOT NULL COLLATE pg_catalog."C",
    title text NOT NULL COLLATE pg_catalog."C",
    text text NOT NULL COLLATE pg_catalog."C",
    level text NOT NULL COLLATE pg_catalog."C",
    at timestamp with time zone NOT NULL,
    channels json NOT NULL,
    repeats integer NOT NULL
);
CREATE SEQUENCE public.run_alerts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.run_alerts_id_seq OWNED BY public.run_alerts.id;
CREATE TABLE public.run_chunks (
    id bigint NOT NULL,
    run_id bigint NOT NULL,
    stream text NOT NULL COLLATE pg_catalog."C",
    era integer NOT NULL,
    data bytea NOT NULL,
    size bigint NOT NULL
);
CREATE SEQUENCE public.run_chunks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.run_chunks_id_seq OWNED BY public.run_chunks.id;
CREATE TABLE public.run_files (
    run_id bigint NOT NULL,
    path text NOT NULL COLLATE pg_catalog."C",
    digest bytea NOT NULL,
    size bigint NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.run_keys (
    id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.run_keys_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.run_keys_id_seq OWNED BY public.run_keys.id;
CREATE TABLE public.run_parts (
    id bigint NOT NULL,
    run_id bigint NOT NULL,
    stream text NOT NULL COLLATE pg_catalog."C",
    era integer NOT NULL,
    level integer NOT NULL,
    hidden smallint NOT NULL,
    digest bytea NOT NULL,
    size bigint NOT NULL,
    rows bigint NOT NULL
);
CREATE SEQUENCE public.run_parts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.run_parts_id_seq OWNED BY public.run_parts.id;
CREATE TABLE public.run_values (
    run_id bigint NOT NULL,
    key_id bigint NOT NULL,
    number double precision,
    text text COLLATE pg_catalog."C"
);
CREATE TABLE public.run_writers (
    run_id bigint NOT NULL,
    writer text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL
);
CREATE TABLE public.runs (
    id bigint NOT NULL,
    run_id text NOT NULL COLLATE pg_catalog."C",
    entity text NOT NULL COLLATE pg_catalog."C",
    project text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    job_type text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    config json NOT NULL,
    code json NOT NULL,
    "user" text NOT NULL COLLATE pg_catalog."C",
    host text NOT NULL COLLATE pg_catalog."C",
    created_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    "group" text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    tags json DEFAULT '[]'::json NOT NULL,
    notes text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    summary json DEFAULT '{}'::json NOT NULL,
    metrics json DEFAULT '[]'::json NOT NULL,
    environment json DEFAULT '{}'::json NOT NULL,
    exit_code integer,
    message text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    seen_at timestamp with time zone,
    stop_asked_by text COLLATE pg_catalog."C",
    parent_id bigint,
    parent_step bigint,
    last_step bigint DEFAULT '-1'::bigint NOT NULL,
    era integer DEFAULT 0 NOT NULL,
    cuts json DEFAULT '[]'::json NOT NULL
);
CREATE SEQUENCE public.runs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.runs_id_seq OWNED BY public.runs.id;
CREATE TABLE public.sessions (
    hash bytea NOT NULL,
    csrf_hash bytea NOT NULL,
    user_id bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.team_members (
    user_id bigint NOT NULL,
    team_id bigint NOT NULL,
    role text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.teams (
    id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.teams_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.teams_id_seq OWNED BY public.teams.id;
CREATE TABLE public.users (
    id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    email text NOT NULL COLLATE pg_catalog."C",
    password_hash text COLLATE pg_catalog."C",
    issuer text COLLATE pg_catalog."C",
    subject text COLLATE pg_catalog."C",
    is_admin boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    disabled_at timestamp with time zone
);
CREATE SEQUENCE public.users_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;
CREATE TABLE public.versions (
    id bigint NOT NULL,
    collection_id bigint NOT NULL,
    number integer NOT NULL,
    digest bytea NOT NULL,
    size bigint NOT NULL,
    file_count integer NOT NULL,
    description text NOT NULL COLLATE pg_catalog."C",
    metadata json NOT NULL,
    tags json NOT NULL,
    run_id bigint,
    ttl_s bigint,
    hold text COLLATE pg_catalog."C",
    created_at timestamp with time zone NOT NULL,
    created_by text NOT NULL COLLATE pg_catalog."C",
    deleted_at timestamp with time zone,
    deleted_by text COLLATE pg_catalog."C",
    purged_at timestamp with time zone,
    held smallint DEFAULT '0'::smallint NOT NULL
);
CREATE SEQUENCE public.versions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.versions_id_seq OWNED BY public.versions.id;
ALTER TABLE ONLY public.alias_events ALTER COLUMN id SET DEFAULT nextval('public.alias_events_id_seq'::regclass);
ALTER TABLE ONLY public.api_keys ALTER COLUMN id SET DEFAULT nextval('public.api_keys_id_seq'::regclass);
ALTER TABLE ONLY public.audit_log ALTER COLUMN id SET DEFAULT nextval('public.audit_log_id_seq'::regclass);
ALTER TABLE ONLY public.collections ALTER COLUMN id SET DEFAULT nextval('public.collections_id_seq'::regclass);
ALTER TABLE ONLY public.login_attempts ALTER COLUMN id SET DEFAULT nextval('public.login_attempts_id_seq'::regclass);
ALTER TABLE ONLY public.objects ALTER COLUMN id SET DEFAULT nextval('public.objects_id_seq'::regclass);
ALTER TABLE ONLY public.projects ALTER COLUMN id SET DEFAULT nextval('public.projects_id_seq'::regclass);
ALTER TABLE ONLY public.roles ALTER COLUMN id SET DEFAULT nextval('public.roles_id_seq'::regclass);
ALTER TABLE ONLY public.run_alerts ALTER COLUMN id SET DEFAULT nextval('public.run_alerts_id_seq'::regclass);
ALTER TABLE ONLY public.run_chunks ALTER COLUMN id SET DEFAULT nextval('public.run_chunks_id_seq'::regclass);
ALTER TABLE ONLY public.run_keys ALTER COLUMN id SET DEFAULT nextval('public.run_keys_id_seq'::regclass);
ALTER TABLE ONLY public.run_parts ALTER COLUMN id SET DEFAULT nextval('public.run_parts_id_seq'::regclass);
ALTER TABLE ONLY public.runs ALTER COLUMN id SET DEFAULT nextval('public.runs_id_seq'::regclass);
ALTER TABLE ONLY public.teams ALTER COLUMN id SET DEFAULT nextval('public.teams_id_seq'::regclass);
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
ALTER TABLE ONLY public.versions ALTER COLUMN id SET DEFAULT nextval('public.versions_id_seq'::regclass);
INSERT INTO public.alias_events VALUES (1, 1, 'best', 'move', '2026-11-24 15:40:48.873346+00', 'ada', 'vm', NULL, 0, 'logged');
INSERT INTO public.alias_events VALUES (2, 2, 'production', 'move', '2026-11-24 15:40:48.930131+00', 'ada', 'vm', NULL, 0, 'logged');
INSERT INTO public.aliases VALUES (1, 'best', 0);
INSERT INTO public.aliases VALUES (2, 'production', 0);
INSERT INTO public.blobs VALUES ('\x2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881', 1, 30, 1, 1, '\x5c7401c0ec22eeeeeaf06c6480b2cd11', 0);
INSERT INTO public.blobs VALUES ('\x535f317692117b117a97539be0a1308013b711374bfb9c86a34aad392f4f088f', 1, 8, 22, 22, '\x7e4f31744d0425d703a23a01ca11c3d6', 0);
INSERT INTO public.blobs VALUES ('\x7a77b667b248679faff61157cd61eb10228b39b9f254105ef2d5ce82080dcf4d', 1, 386, 12, 12, '\xe85065f8fa1aa66aeba8b1e88c0bd4cf', 0);
INSERT INTO public.blobs VALUES ('\xa88f1a06c20d26d8c5bea4d7b03c317e0370c25e4175d56f6ce28784f122aacb', 1, 212, 174, 240, '\xf392994f74341673cdd57831219b5734', 1);
INSERT INTO public.blobs VALUES ('\xae448ac86c4e8e4dec645729708ef41873ae79c6dff84eff73360989487f08e5', 1, 205, 7, 7, '\x057d597e4890d2b9fd5469fcd5f0a162', 0);
INSERT INTO public.blobs VALUES ('\xecc2384958cf49edafd9c2276e6dacd6e2e2dfa17cc948d982dcc54753383022', 1, 31, 174, 241, '\xb4b1cb487014cea324e1ca271d1be8d3', 1);
INSERT INTO public.blobs VALUES ('\x871da33a2d89ae6a00a212cba81ede950f6ebcdcf2716b557cf8fb3f3d164421', 2, 0, 2191, 2191, '\x63e276e464a3b25b88af5a0338297583', 0);
INSERT INTO public.blobs VALUES ('\xe60387fc67574b0f16e090277ca40b1e049141c14e7fa1a280667b4fd2b5140f', 3, 0, 2169, 2169, '\x17043b7156cce60c2b8c5ac1246fb926', 0);
INSERT INTO public.collections VALUES (1, 'local', 'vision', 'digits', 'dataset', '', 2, '2026-11-24 15:40:48.873346+00', NULL);
INSERT INTO public.collections VALUES (2, 'local', 'registry', 'digits', 'dataset', '', 1, '2026-11-24 15:40:48.930131+00', NULL);
INSERT INTO public.edges VALUES (1, 1, 1, 'output', '2026-11-24 15:40:48.873346+00');
INSERT INTO public.edges VALUES (2, 0, 1, 'input', '2026-11-24 15:40:49.005798+00');
INSERT INTO public.memberships VALUES (1, 0, 1, '2026-11-24 15:40:48.873346+00', 'ada', NULL);
INSERT INTO public.memberships VALUES (1, 1, 2, '2026-11-24 15:40:48.915172+00', 'ada', NULL);
INSERT INTO public.memberships VALUES (2, 0, 1, '2026-11-24 15:40:48.930131+00', 'ada', NULL);
INSERT INTO public.meta VALUES ('format', '3');
INSERT INTO public.objects VALUES (1, 'packs/01m873f0st4a1t8xg4h8p7ws88.pack', 854, '2026-11-24 15:40:48.831847+00');
INSERT INTO public.objects VALUES (2, 'objects/87/871da33a2d89ae6a00a212cba81ede950f6ebcdcf2716b557cf8fb3f3d164421-s1r91x352gc5', 2191, '2026-11-24 15:40:48.973017+00');
INSERT INTO public.objects VALUES (3, 'objects/e6/e60387fc67574b0f16e090277ca40b1e049141c14e7fa1a280667b4fd2b5140f-zg16jbez635c', 2169, '2026-11-24 15:40:49.038215+00');
INSERT INTO public.run_alerts VALUES (1, 1, 'a1', 'loss is NaN', 'at step 1', 'warn', '2026-11-24 15:40:48.84917+00', '{}', 0);
INSERT INTO public.run_chunks VALUES (2, 2, 'history', 0, '\x4c4e52317801f3676060a8562a2fca2c492d52b25252d2512aca2f2f56b232d4514acac94fce0632a3ab95b233f35280b26940e9c41225abbcd29c1c1da5ecd44a90ac5292522c507165492a9067511b5b0b3411097cb087707ed4030056a01ba0', 97);
INSERT INTO public.run_files VALUES (1, 'note.txt', '\x7a77b667b248679faff61157cd61eb10228b39b9f254105ef2d5ce82080dcf4d', 12, '2026-11-24 15:40:48.861504+00');
INSERT INTO public.run_keys VALUES (1, 'config.deep.x');
INSERT INTO public.run_keys VALUES (2, 'config.lr');
INSERT INTO public.run_keys VALUES (3, 'summary.a');
INSERT INTO public.run_keys VALUES (4, 'summary.inf');
INSERT INTO public.run_parts VALUES (1, 1, 'history', 0, 100, 0, '\x871da33a2d89ae6a00a212cba81ede950f6ebcdcf2716b557cf8fb3f3d164421', 2191, 4);
INSERT INTO public.run_parts VALUES (2, 3, 'history', 0, 100, 0, '\xe60387fc67574b0f16e090277ca40b1e049141c14e7fa1a280667b4fd2b5140f', 2169, 2);
INSERT INTO public.run_values VALUES (1, 2, 0.5, NULL);
INSERT INTO public.run_values VALUES (1, 1, NULL, 'y');
INSERT INTO public.run_values VALUES (1, 3, 2, NULL);
INSERT INTO public.run_values VALUES (1, 4, 'Infinity', NULL);
INSERT INTO public.run_values VALUES (3, 3, 1, NULL);
INSERT INTO public.run_writers VALUES (1, 'w1', 1);
INSERT INTO public.run_writers VALUES (2, 'w1', 1);
INSERT INTO public.runs VALUES (1, 'r1', 'local', 'vision', 'first', 'train', 'finished', '{"lr": 0.5, "deep": {"x": "y"}}', '{"commit": "abc"}', 'ada', 'vm', '2026-11-24 15:40:48.834627+00', '2026-11-24 15:40:48.961025+00', '', '[]', '', '{"a": 2, "inf": {"$float": "inf"}}', '[]', '{}', NULL, '', '2026-11-24 15:40:48.961025+00', NULL, NULL, NULL, 1, 0, '[]');
INSERT INTO public.runs VALUES (2, 'r2', 'local', 'vision', 'open', '', 'running', '{}', '{}', 'ada', 'vm', '2026-11-24 15:40:48.996056+00', NULL, '', '["t"]', '', '{}', '[]', '{}', NULL, '', '2026-11-24 15:40:49.01384+00', NULL, NULL, NULL, 0, 0, '[]');
INSERT INTO public.runs VALUES (3, 'r3', 'local', 'vision', 'r3', '', 'running', '{}', '{}', 'ada', 'vm', '2026-11-24 15:40:49.014671+00', NULL, '', '[]', '', '{"a": 1}', '[]', '{}', NULL, '', '2026-11-24 15:40:49.014671+00', NULL, 1, 0, 0, 0, '[]');
INSERT INTO public.versions VALUES (1, 1, 0, '\xecc2384958cf49edafd9c2276e6dacd6e2e2dfa17cc948d982dcc54753383022', 23, 2, '', '{"n": 1, "\u00e9": null}', '[]', 1, NULL, NULL, '2026-11-24 15:40:48.873346+00', 'ada', NULL, NULL, NULL, 0);
INSERT INTO public.versions VALUES (2, 1, 1, '\xa88f1a06c20d26d8c5bea4d7b03c317e0370c25e4175d56f6ce28784f122aacb', 8, 2, '', '{}', '["t"]', NULL, NULL, NULL, '2026-11-24 15:40:48.915172+00', 'ada', '2026-11-24 15:40:48.954794+00', 'ada', NULL, 0);
SELECT pg_catalog.setval('public.alias_events_id_seq', 2, true);
SELECT pg_catalog.setval('public.api_keys_id_seq', 1, false);
SELECT pg_catalog.setval('public.audit_log_id_seq', 1, false);
SELECT pg_catalog.setval('public.collections_id_seq', 2, true);
SELECT pg_catalog.setval('public.login_attempts_id_seq', 1, false);
SELECT pg_catalog.setval('public.objects_id_seq', 3, true);
SELECT pg_catalog.setval('public.projects_id_seq', 1, false);
SELECT pg_catalog.setval('public.roles_id_seq', 1, false);
SELECT pg_catalog.setval('public.run_alerts_id_seq', 1, true);
SELECT pg_catalog.setval('public.run_chunks_id_seq', 2, true);
SELECT pg_catalog.setval('public.run_keys_id_seq', 4, true);
SELECT pg_catalog.setval('public.run_parts_id_seq', 2, true);
SELECT pg_catalog.setval('public.runs_id_seq', 3, true);
SELECT pg_catalog.setval('public.teams_id_seq', 1, false);
SELECT pg_catalog.setval('public.users_id_seq', 1, false);
SELECT pg_catalog.setval('public.versions_id_seq', 2, true);
ALTER TABLE ONLY public.alias_events
    ADD CONSTRAINT alias_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.aliases
    ADD CONSTRAINT aliases_pkey PRIMARY KEY (collection_id, name);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_prefix_key UNIQUE (prefix);
ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.blob_holders
    ADD CONSTRAINT blob_holders_pkey PRIMARY KEY (digest, kind, holder);
ALTER TABLE ONLY public.blobs
    ADD CONSTRAINT blobs_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.collections
    ADD CONSTRAINT collections_entity_project_name_key UNIQUE (entity, project, name);
ALTER TABLE ONLY public.collections
    ADD CONSTRAINT collections_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.edges
    ADD CONSTRAINT edges_pkey PRIMARY KEY (run_id, output, version_id, role);
ALTER TABLE ONLY public.login_attempts
    ADD CONSTRAINT login_attempts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_pkey PRIMARY KEY (collection_id, number);
ALTER TABLE ONLY public.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.objects
    ADD CONSTRAINT objects_key_key UNIQUE (key);
ALTER TABLE ONLY public.objects
    ADD CONSTRAINT objects_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.projects
    ADD CONSTRAINT projects_entity_project_key UNIQUE (entity, project);
ALTER TABLE ONLY public.projects
    ADD CONSTRAINT projects_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.protected_aliases
    ADD CONSTRAINT protected_aliases_pkey PRIMARY KEY (entity, project, collection, alias);
ALTER TABLE ONLY public.roles
    ADD CONSTRAINT roles_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.roles
    ADD CONSTRAINT roles_team_id_entity_project_collection_key UNIQUE (team_id, entity, project, collection);
ALTER TABLE ONLY public.roles
    ADD CONSTRAINT roles_user_id_entity_project_collection_key UNIQUE (user_id, entity, project, collection);
ALTER TABLE ONLY public.run_alerts
    ADD CONSTRAINT run_alerts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.run_alerts
    ADD CONSTRAINT run_alerts_run_id_alert_id_key UNIQUE (run_id, alert_id);
ALTER TABLE ONLY public.run_chunks
    ADD CONSTRAINT run_chunks_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.run_files
    ADD CONSTRAINT run_files_pkey PRIMARY KEY (run_id, path);
ALTER TABLE ONLY public.run_keys
    ADD CONSTRAINT run_keys_name_key UNIQUE (name);
ALTER TABLE ONLY public.run_keys
    ADD CONSTRAINT run_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.run_parts
    ADD CONSTRAINT run_parts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.run_values
    ADD CONSTRAINT run_values_pkey PRIMARY KEY (run_id, key_id);
ALTER TABLE ONLY public.run_writers
    ADD CONSTRAINT run_writers_pkey PRIMARY KEY (run_id, writer);
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_run_id_key UNIQUE (run_id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (hash);
ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_pkey PRIMARY KEY (user_id, team_id);
ALTER TABLE ONLY public.teams
    ADD CONSTRAINT teams_name_key UNIQUE (name);
ALTER TABLE ONLY public.teams
    ADD CONSTRAINT teams_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_issuer_subject_key UNIQUE (issuer, subject);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_name_key UNIQUE (name);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_collection_id_number_key UNIQUE (collection_id, number);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_pkey PRIMARY KEY (id);
CREATE INDEX alias_events_by_alias ON public.alias_events USING btree (collection_id, alias, id);
CREATE INDEX api_keys_by_user ON public.api_keys USING btree (user_id);
CREATE INDEX audit_log_by_operation ON public.audit_log USING btree (operation, id);
CREATE INDEX audit_log_by_subject ON public.audit_log USING btree (subject, id);
CREATE INDEX audit_log_by_time ON public.audit_log USING btree (at, id);
CREATE INDEX audit_log_by_user ON public.audit_log USING btree ("user", id);
CREATE INDEX blobs_by_object ON public.blobs USING btree (object_id, "offset");
CREATE INDEX collections_by_name ON public.collections USING btree (name);
CREATE INDEX edges_by_version ON public.edges USING btree (version_id, output, run_id);
CREATE INDEX login_attempts_by_address ON public.login_attempts USING btree (address, at);
CREATE INDEX login_attempts_by_time ON public.login_attempts USING btree (at);
CREATE INDEX memberships_by_version ON public.memberships USING btree (version_id);
CREATE INDEX projects_public ON public.projects USING btree (id) WHERE (visibility = 'public'::text);
CREATE INDEX roles_by_project ON public.roles USING btree (entity, project);
CREATE INDEX run_chunks_by_run ON public.run_chunks USING btree (run_id, stream);
CREATE INDEX run_files_by_digest ON public.run_files USING btree (digest);
CREATE INDEX run_parts_by_digest ON public.run_parts USING btree (digest);
CREATE INDEX run_parts_by_run ON public.run_parts USING btree (run_id, stream);
CREATE INDEX run_values_by_number ON public.run_values USING btree (key_id, number, run_id);
CREATE INDEX run_values_by_text ON public.run_values USING btree (key_id, text, run_id);
CREATE INDEX runs_by_created ON public.runs USING btree (project, entity, created_at);
CREATE INDEX runs_by_parent ON public.runs USING btree (parent_id);
CREATE INDEX runs_by_project ON public.runs USING btree (project, entity, id);
CREATE INDEX sessions_by_end ON public.sessions USING btree (expires_at);
CREATE INDEX sessions_by_user ON public.sessions USING btree (user_id);
CREATE INDEX team_members_by_team ON public.team_members USING btree (team_id);
CREATE INDEX versions_by_digest ON public.versions USING btree (digest, collection_id);
CREATE INDEX versions_unheld ON public.versions USING btree (id) WHERE (held = 0);
ALTER TABLE ONLY public.alias_events
    ADD CONSTRAINT alias_events_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES public.collections(id);
ALTER TABLE ONLY public.aliases
    ADD CONSTRAINT aliases_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES public.collections(id);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.blobs
    ADD CONSTRAINT blobs_object_id_fkey FOREIGN KEY (object_id) REFERENCES public.objects(id);
ALTER TABLE ONLY public.edges
    ADD CONSTRAINT edges_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.runs(id);
ALTER TABLE ONLY public.edges
    ADD CONSTRAINT edges_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.versions(id);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES public.collections(id);
ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.versions(id);
ALTER TABLE ONLY public.roles
    ADD CONSTRAINT roles_team_id_fkey FOREIGN KEY (team_id) REFERENCES public.teams(id);
ALTER TABLE ONLY public.roles
    ADD CONSTRAINT roles_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.run_alerts
    ADD CONSTRAINT run_alerts_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.runs(id);
ALTER TABLE ONLY public.run_chunks
    ADD CONSTRAINT run_chunks_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.runs(id);
ALTER TABLE ONLY public.run_files
    ADD CONSTRAINT run_files_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.runs(id);
ALTER TABLE ONLY public.run_parts
    ADD CONSTRAINT run_parts_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.runs(id);
ALTER TABLE ONLY public.run_values
    ADD CONSTRAINT run_values_key_id_fkey FOREIGN KEY (key_id) REFERENCES public.run_keys(id);
ALTER TABLE ONLY public.run_values
    ADD CONSTRAINT run_values_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.runs(id);
ALTER TABLE ONLY public.run_writers
    ADD CONSTRAINT run_writers_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.runs(id);
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.runs(id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_team_id_fkey FOREIGN KEY (team_id) REFERENCES public.teams(id);
ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES public.collections(id);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.runs(id);

