// A few hundred statements over a database file: tables, indices, joins, aggregates, transactions
// that are rolled back, a trigger, a recursive query, vacuum. Prints the results.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sqlite3.h"

static const char *const path = "/d/shop.db";

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

int main(int argc, char **argv)
{
    const int rounds = argc > 1 ? atoi(argv[1]) : 10;
    sqlite3 *db;
    unlink(path);
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
        one_round(db, round);
        fflush(stdout);
    }
    run(db, "SELECT what, count(*), sum(n) FROM log GROUP BY what");
    run(db, "SELECT name, round(price, 6), rank() OVER (ORDER BY price DESC) FROM items LIMIT 8");
    run(db, "VACUUM");
    run(db, "PRAGMA integrity_check");
    run(db, "SELECT upper(name), length(name), hex(substr(name, 1, 4)) FROM customers LIMIT 3");
    sqlite3_close(db);
    return 0;
}
