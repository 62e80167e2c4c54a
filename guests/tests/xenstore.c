/* @title  xenstore
 * @fact   a guest reads, writes, lists and removes below its own path, watches it, and transactions conflict
 * @source xen/include/public/io/xs_wire.h, docs/misc/xenstore.txt
 * @env    pv64 pvh64 hvm64 hvm32pae pvh32 arm64 arm32
 */
#include <guest.h>
#include <store.h>
#include <abi/io/xs_wire.h>

static char text[STORE_MAX];

void test_main(void)
{
    if (!store_init())
        skip("the domain has no xenstore");
    check(store_read(0, "domid", text) > 0);
    printf("domid %s\n", text);
    check(store_read(0, "nothing/here", text) < 0);
    check(strcmp(text, "ENOENT") == 0);

    /* data/ is the guest's own. */
    require(store_write(0, "data/test", "value"));
    check_eq(store_read(0, "data/test", text), 5);
    check(strcmp(text, "value") == 0);
    check(store_mkdir(0, "data/folder"));
    check(store_write(0, "data/folder/a", "1"));
    check(store_write(0, "data/folder/b", ""));
    check_eq(store_directory(0, "data/folder", text), 4);
    check(strcmp(text, "a") == 0 && strcmp(text + 2, "b") == 0);
    check_eq(store_read(0, "data/folder/b", text), 0);

    /* Not the guest's to write. */
    check(!store_write(0, "/tool/guest-was-here", "1"));
    check(!store_write(0, "/local/domain/0/x", "1"));
    const char *bad = "data//x";
    check(store_request(XS_READ, 0, &bad, 1, text) < 0);
    check(strcmp(text, "EINVAL") == 0);

    /* Watches: one event at once, one a change. */
    check(store_watch("data/folder", "token-1"));
    check(store_event(text, 100));
    check(strcmp(text, "data/folder") == 0);
    check(strcmp(text + strlen(text) + 1, "token-1") == 0);
    check(!store_watch("data/folder", "token-1"));
    check(store_write(0, "data/folder/c", "3"));
    check(store_event(text, 100));
    check(strcmp(text, "data/folder/c") == 0);
    check(store_unwatch("data/folder", "token-1"));
    check(store_write(0, "data/folder/c", "4"));
    check(!store_event(text, 5));

    /* A transaction sees its own writes; nobody else does before the commit. */
    uint32_t tx = store_transaction();
    require(tx != 0);
    check(store_write(tx, "data/test", "inside"));
    check_eq(store_read(0, "data/test", text), 5);
    check_eq(store_read(tx, "data/test", text), 6);
    check(store_commit(tx, true, text));
    check_eq(store_read(0, "data/test", text), 6);
    /* Dropped. */
    tx = store_transaction();
    check(store_write(tx, "data/test", "dropped"));
    check(store_commit(tx, false, text));
    check_eq(store_read(0, "data/test", text), 6);
    /* Conflict. */
    tx = store_transaction();
    check(store_read(tx, "data/test", text) > 0);
    check(store_write(tx, "data/other", "x"));
    check(store_write(0, "data/test", "meanwhile"));
    check(!store_commit(tx, true, text));
    check(strcmp(text, "EAGAIN") == 0);
    check(!store_commit(12345, true, text));

    check(store_remove(0, "data/folder"));
    check(store_directory(0, "data/folder", text) < 0);
}
