//! Wrong names, sizes, keys and values: refused with a hint, and nothing is half-done.

use std::fs;

use bytes::Bytes;
use types::{Key, ObjectId};

use crate::{cluster_with_pool, still_works};

#[test]
fn wrong_pools() {
    let cluster = cluster_with_pool();
    let before = cluster.inventory();
    cluster.dmg(&["pool", "create", "huge", "--size=400TiB"]).refused(&["DER_NOSPACE", "free"]);
    cluster.dmg(&["pool", "create", "huge", "--scm-size=1TiB", "--nvme-size=2GiB"]).refused(&["DER_NOSPACE"]);
    cluster.dmg(&["pool", "create", "tank", "--size=10%"]).refused(&["tank"]);
    cluster.dmg(&["pool", "create", "bad label", "--size=10%"]).refused(&["label"]);
    cluster.dmg(&["pool", "create", &"l".repeat(200), "--size=10%"]).refused(&["label"]);
    cluster.dmg(&["pool", "create", "", "--size=10%"]).refused(&["label"]);
    cluster.dmg(&["pool", "create", "tiny", "--size=1MiB"]).refused(&["ServerPool"]);
    cluster.dmg(&["pool", "create", "odd", "--size=some"]).refused(&["some"]);
    cluster.dmg(&["pool", "create", "odd", "--size=150%"]).refused(&["150%"]);
    cluster.dmg(&["pool", "create", "odd", "--size=0"]).refused(&["0"]);
    cluster.dmg(&["pool", "create", "odd", "--size=10%", "--ranks=7"]).refused(&["7"]);
    cluster.dmg(&["pool", "create"]).refused(&["--help"]);
    cluster.dmg(&["pool", "destroy", "nosuch"]).refused(&["nosuch"]);
    cluster.dmg(&["pool", "query", "nosuch"]).refused(&["nosuch"]);
    cluster.dmg(&["pool", "query", "00000000-0000-0000-0000-000000000000"]).refused(&["00000000"]);
    cluster.dmg(&["pool", "destroy", "tank"]).refused(&["container"]);
    cluster.dmg(&["pool", "set-prop", "tank", "colour:red"]).refused(&["colour"]);
    cluster.dmg(&["pool", "set-prop", "tank", "scrub:sometimes"]).refused(&["scrub"]);
    cluster.dmg(&["pool", "set-prop", "nosuch", "scrub:off"]).refused(&["nosuch"]);
    assert_eq!(cluster.inventory(), before, "nothing half-done");
    still_works(&cluster);
}

#[test]
fn wrong_containers_keys_and_values() {
    let cluster = cluster_with_pool();
    let before = cluster.inventory();
    cluster.daos(&["kv", "put", "tank", "nosuch", "k", "v"]).refused(&["nosuch"]);
    cluster.daos(&["kv", "get", "tank", "nosuch", "k"]).refused(&["nosuch"]);
    cluster.daos(&["kv", "put", "nosuch", "things", "k", "v"]).refused(&["nosuch"]);
    cluster.daos(&["kv", "put", "tank", "things", "", "v"]).refused(&["key"]);
    cluster.daos(&["kv", "put", "tank", "things", "k", "v", "--akey", ""]).refused(&["key"]);
    cluster.daos(&["kv", "put", "tank", "things", &"k".repeat(4097), "v"]).refused(&["4096"]);
    cluster.daos(&["kv", "put", "tank", "things", "k", "v", "--dkey", &"k".repeat(4097)]).refused(&["4096"]);
    cluster.daos(&["kv", "put", "tank", "things", "k", "@/nonexistent/file"]).refused(&["/nonexistent/file"]);
    cluster.daos(&["kv", "put", "tank", "things", "k", "v", "--oid", "apple"]).refused(&["apple"]);
    let large = cluster.path("large");
    fs::File::create(&large).unwrap().set_len((32 << 20) + 1).unwrap();
    let at_large = format!("@{}", large.display());
    cluster.daos(&["kv", "put", "tank", "things", "k", &at_large]).refused(&["large"]);
    cluster.daos(&["kv", "put", "tank", "things", "k", "", "--array"]).refused(&["byte"]);
    cluster.daos(&["kv", "get", "tank", "things", "nosuch"]).refused(&["nosuch"]);
    cluster.daos(&["kv", "put", "tank", "things", "apple", "v", "--if-absent"]).refused(&["apple"]);
    cluster.daos(&["kv", "put", "tank", "things", "pear", "v", "--if-present"]).refused(&["pear"]);
    cluster.daos(&["container", "create", "tank", "things"]).refused(&["things"]);
    cluster.daos(&["container", "create", "tank", "a b"]).refused(&["label"]);
    cluster.daos(&["container", "create", "nosuch", "more"]).refused(&["nosuch"]);
    cluster.daos(&["container", "create", "tank", "safe", "--properties", "rd_fac:2"]).refused(&["rd_fac"]);
    cluster.daos(&["container", "destroy", "tank", "nosuch"]).refused(&["nosuch"]);
    assert_eq!(cluster.inventory(), before, "nothing half-done");
    // The largest key and value are taken, and so is a value of no bytes: it is a value, and differs from none.
    cluster.daos(&["kv", "put", "tank", "things", &"k".repeat(4096), "v"]).ok();
    fs::File::options().write(true).open(&large).unwrap().set_len(32 << 20).unwrap();
    cluster.daos(&["kv", "put", "tank", "things", "large", &at_large]).ok();
    cluster.daos(&["kv", "put", "tank", "things", "empty", ""]).ok();
    assert_eq!(cluster.daos(&["kv", "get", "tank", "things", "empty"]).ok().stdout, "");
    still_works(&cluster);
}

#[test]
fn what_another_client_has_open_goes_only_by_force() {
    let cluster = cluster_with_pool();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (pool, object) = runtime.block_on(async {
        let pool = cluster.system().await.open_pool("tank").await.unwrap();
        let object = pool.open_container("things").await.unwrap().object(ObjectId { hi: 0, lo: 5 });
        (pool, object)
    });
    let query = cluster.daos(&["container", "query", "tank", "things"]).ok().stdout;
    assert!(query.lines().any(|line| line.starts_with("  Number of open handles") && line.ends_with(": 1")), "{query}");
    cluster.daos(&["container", "destroy", "tank", "things"]).refused(&["DER_BUSY", "--force"]);
    cluster.dmg(&["pool", "destroy", "tank", "--recursive"]).refused(&["DER_BUSY", "--force"]);
    still_works(&cluster);
    cluster.daos(&["container", "destroy", "tank", "things", "--force"]).ok();
    let key = Key::try_from("k").unwrap();
    let gone = runtime.block_on(object.put(&key, &key, Bytes::from_static(b"v"))).unwrap_err();
    assert!(gone.to_string().contains("container"), "{gone}");
    drop((pool, object));
}
