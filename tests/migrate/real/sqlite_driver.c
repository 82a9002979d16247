// A few thousand statements over a database file: tables, indices, joins, aggregates, transactions
// that are rolled back, a trigger, a recursive query, blobs on overflow pages, sorts that spill to
// temporary files, windows, vacuum; the second half of the rounds with a write-ahead log. Prints
// the results, and how many statements were run.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sqlite3.h"

static const char *const path = "/d/shop.db";
static int statements;

static int print_row(void *unused, int count, char **values, char **names)
{
    (void)unused, (void)names;
    for (int i = 0; i < count; i++)
        printf("%s%s", i > 0 ? "|" : "", values[i] != NULL ? values[i] : "NULL");
    putchar('\n');
    return 0;
}

static void run(sqlite3 *db, const char *statement)
{
    char *message = NULL;
    statements++;
    if (sqlite3_exec(db, statement, print_row, NULL, &message) != SQLITE_OK) {
        printf("error: %s\n", message);
        sqlite3_free(message);
    }
}

static void insert_orders(sqlite3 *db, int round)
{
    sqlite3_stmt *insert;
    sqlite3_prepare_v2(db, "INSERT INTO orders(customer, item, amount, note) VALUES(?, ?, ?, ?)", -1,
                       &insert, NULL);
    for (int k = 0; k < 120; k++) {
        char note[64];
        snprintf(note, sizeof note, "round %d, order %d", round, k);
        sqlite3_bind_int(insert, 1, k * 7 % 20 + 1);
        sqlite3_bind_int(insert, 2, (k * 13 + round) % 30 + 1);
        sqlite3_bind_double(insert, 3, (k % 11 + 1) * 1.25);
        sqlite3_bind_text(insert, 4, note, -1, SQLITE_TRANSIENT);
        if (sqlite3_step(insert) != SQLITE_DONE)
            printf("error: %s\n", sqlite3_errmsg(db));
        sqlite3_reset(insert);
        statements++;
    }
    sqlite3_finalize(insert);
}

static void one_round(sqlite3 *db, int round)
{
    run(db, "BEGIN");
    insert_orders(db, round);
    run(db, round % 3 == 2 ? "ROLLBACK" : "COMMIT");
    run(db, "SELECT c.name, count(*), sum(o.amount * i.price), max(o.note) FROM orders o "
            "JOIN customers c ON c.id = o.customer JOIN items i ON i.id = o.item "
            "GROUP BY c.id HAVING count(*) > 2 ORDER BY 3 DESC, 1 LIMIT 5");
    run(db, "SELECT i.name, (SELECT count(*) FROM orders o WHERE o.item = i.id) AS n FROM items i "
            "WHERE n > 0 ORDER BY n DESC, i.name LIMIT 3");
    run(db, "UPDATE items SET price = price * 1.01 WHERE id IN "
            "(SELECT item FROM orders GROUP BY item ORDER BY sum(amount) DESC, item LIMIT 4)");
    run(db, "DELETE FROM orders WHERE id % 5 = 0");
    run(db, "SELECT count(*), total(amount), group_concat(DISTINCT item % 3) FROM orders");
    run(db, "INSERT INTO orders(customer, item, amount) VALUES(1, 999, 1)"); /* a foreign key */
}

/* With exclusive locking a write-ahead log needs no shared memory, which WASI does not have. It is
   small enough to be written back in the midst of rounds. */
static void use_log(sqlite3 *db)
{
    run(db, "PRAGMA locking_mode = EXCLUSIVE");
    run(db, "PRAGMA journal_mode = WAL");
    run(db, "PRAGMA wal_autocheckpoint = 60");
}

/* Read a blob by pieces and change it in place; return a hash of what was written. */
static unsigned change_blob(sqlite3 *db, int id, unsigned hash)
{
    unsigned char piece[1000];
    sqlite3_blob *blob;
    if (sqlite3_blob_open(db, "main", "blobs", "data", id, 1, &blob) != SQLITE_OK)
        printf("error: %s\n", sqlite3_errmsg(db));
    for (int at = 0; at + (int)sizeof piece <= sqlite3_blob_bytes(blob); at += sizeof piece) {
        sqlite3_blob_read(blob, piece, sizeof piece, at);
        for (size_t k = 0; k < sizeof piece; k++)
            hash = hash * 31 + (piece[k] ^= (unsigned char)(at >> 8));
        sqlite3_blob_write(blob, piece, sizeof piece, at);
    }
    sqlite3_blob_close(blob);
    return hash;
}

/* Blobs of up to 60 KB, changed, sorted, joined with themselves and numbered. */
static void blobs(sqlite3 *db)
{
    unsigned hash = 0;
    run(db, "CREATE TABLE blobs(id INTEGER PRIMARY KEY, size INT, data BLOB)");
    run(db, "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 40) "
            "INSERT INTO blobs "
            "SELECT k, k * 1500, CAST(printf('%.*c', k * 1500, char(64 + k)) AS BLOB) FROM n");
    for (int id = 1; id <= 40; id++)
        hash = change_blob(db, id, hash);
    printf("blobs %08x\n", hash);
    run(db, "SELECT id, size, length(data), hex(substr(data, -2)) FROM blobs "
            "ORDER BY data DESC, id LIMIT 3");
    run(db, "SELECT count(*), sum(a.size * b.id % 97) FROM blobs a JOIN blobs b "
            "ON b.size >= a.size JOIN items i ON i.id = b.id WHERE a.data <= b.data");
    run(db, "SELECT id, sum(size) OVER (ORDER BY size % 7, id ROWS 3 PRECEDING) AS s, "
            "lag(id, 2) OVER (ORDER BY size % 7, id) FROM blobs ORDER BY s DESC, id LIMIT 4");
}

/* Sorts of some MB with little memory: runs are merged from files that are unlinked already. */
static void big_sorts(sqlite3 *db)
{
    run(db, "PRAGMA cache_size = 20");
    run(db, "CREATE TEMP TABLE numbers AS WITH RECURSIVE n(k) AS "
            "(SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 20000) "
            "SELECT k, k * 7919 % 20011 AS r, printf('%0*d', 150 + k % 50, k) AS s FROM n");
    run(db, "SELECT count(*), sum(at * r) FROM "
            "(SELECT row_number() OVER (ORDER BY r DESC, s) AS at, r, s FROM numbers)");
    run(db, "SELECT r, substr(s, -8) FROM "
            "(SELECT r, s FROM numbers ORDER BY substr(s, -5), r LIMIT 19990, 9)");
    run(db, "CREATE INDEX temp.by_text ON numbers(s, r)");
    run(db, "SELECT count(*), length(min(s)), max(r) FROM "
            "(SELECT DISTINCT substr(s, 3) AS s, r % 5000 AS r FROM numbers)");
}

int main(int argc, char **argv)
{
    const int rounds = argc > 1 ? atoi(argv[1]) : 10;
    sqlite3 *db;
    unlink(path);
    sqlite3_temp_directory = sqlite3_mprintf("/d");
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix-none") !=
        SQLITE_OK) {
        printf("cannot open: %s\n", sqlite3_errmsg(db));
        return 1;
    }
    run(db, "PRAGMA foreign_keys = ON");
    run(db, "CREATE TABLE customers(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)");
    run(db, "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT, price REAL CHECK(price > 0))");
    run(db, "CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INT REFERENCES customers, "
            "item INT REFERENCES items, amount REAL, note TEXT)");
    run(db, "CREATE TABLE log(what TEXT, n INT)");
    run(db, "CREATE INDEX by_item ON orders(item, amount)");
    run(db, "CREATE TRIGGER gone AFTER DELETE ON orders BEGIN "
            "INSERT INTO log VALUES('deleted', old.id); END");
    run(db, "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 20) "
            "INSERT INTO customers(name) SELECT printf('customer %02d', k) FROM n");
    run(db, "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 30) "
            "INSERT INTO items(name, price) SELECT 'item ' || k, 1.0 + k * k % 17 FROM n");
    for (int round = 0; round < rounds; round++) {
        printf("-- round %d\n", round);
        if (round == rounds / 2)
            use_log(db);
        one_round(db, round);
        fflush(stdout);
    }
    run(db, "SELECT what, count(*), sum(n) FROM log GROUP BY what");
    run(db, "SELECT name, round(price, 6), rank() OVER (ORDER BY price DESC) FROM items LIMIT 8");
    blobs(db);
    big_sorts(db);
    run(db, "VACUUM");
    run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    run(db, "PRAGMA integrity_check");
    run(db, "SELECT upper(name), length(name), hex(substr(name, 1, 4)) FROM customers LIMIT 3");
    if (sqlite3_close(db) != SQLITE_OK)
        printf("error: not closed\n");
    printf("%d statements\n", statements);
    return 0;
}
