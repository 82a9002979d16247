/* A database in memory: inserts with and without an index, selects by range, text and join, updates, deletes, a
 * recursive query, vacuum. The argument is the number of rows; prints what the queries found. */
#include <stdio.h>
#include <string.h>

#include "../run.h"
#include "sqlite3.h"

static sqlite3 *db;

static int print_row(void *unused, int count, char **values, char **names)
{
    (void)unused, (void)names;
    for (int i = 0; i < count; i++) {
        printf("%s%s", i > 0 ? "|" : "", values[i] != NULL ? values[i] : "NULL");
    }
    putchar('\n');
    return 0;
}

static void check(int result, const char *what)
{
    if (result != SQLITE_OK && result != SQLITE_DONE && result != SQLITE_ROW) {
        printf("%s: %s\n", what, sqlite3_errmsg(db));
        exit(1);
    }
}

static void run(const char *statement) { check(sqlite3_exec(db, statement, print_row, NULL, NULL), statement); }

static sqlite3_stmt *prepare(const char *text)
{
    sqlite3_stmt *statement;
    check(sqlite3_prepare_v2(db, text, -1, &statement, NULL), text);
    return statement;
}

/* A number in words, for columns of text. */
static const char *spell(uint32_t number, char *out)
{
    static const char *const digits[] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"};
    char *end = out;
    do {
        end += sprintf(end, "%s%s", end == out ? "" : " ", digits[number % 10]);
        number /= 10;
    } while (number > 0);
    return out;
}

static void insert_rows(const char *text, int rows, uint64_t *state)
{
    char words[128];
    sqlite3_stmt *insert = prepare(text);
    run("BEGIN");
    for (int i = 1; i <= rows; i++) {
        uint32_t number = (uint32_t)(random_next(state) % (uint32_t)(rows * 2));
        sqlite3_bind_int(insert, 1, i);
        sqlite3_bind_int(insert, 2, (int)number);
        sqlite3_bind_text(insert, 3, spell(number, words), -1, SQLITE_STATIC);
        check(sqlite3_step(insert), "insert");
        sqlite3_reset(insert);
    }
    run("COMMIT");
    sqlite3_finalize(insert);
}

/* Runs a query of one number many times over ranges; returns the sum of the answers. */
static sqlite3_int64 ranges(const char *text, int times, int step, int width)
{
    sqlite3_int64 sum = 0;
    sqlite3_stmt *query = prepare(text);
    for (int i = 0; i < times; i++) {
        sqlite3_bind_int(query, 1, i * step);
        sqlite3_bind_int(query, 2, i * step + width);
        check(sqlite3_step(query), text);
        sum += sqlite3_column_int64(query, 0);
        sqlite3_reset(query);
    }
    sqlite3_finalize(query);
    return sum;
}

static void change(const char *text, int times, int step)
{
    sqlite3_stmt *statement = prepare(text);
    run("BEGIN");
    for (int i = 0; i < times; i++) {
        sqlite3_bind_int(statement, 1, i * step);
        check(sqlite3_step(statement), text);
        sqlite3_reset(statement);
    }
    run("COMMIT");
    sqlite3_finalize(statement);
}

int main(int argc, char **argv)
{
    int rows = size_argument(argc, argv, 80000);
    uint64_t state = 1;
    check(sqlite3_open(":memory:", &db), "open");
    run("PRAGMA temp_store = MEMORY"); /* there is no folder for files */
    run("CREATE TABLE plain(a INTEGER, b INTEGER, c TEXT)");
    run("CREATE TABLE keyed(a INTEGER PRIMARY KEY, b INTEGER, c TEXT)");
    run("CREATE INDEX keyed_b ON keyed(b)");
    run("CREATE INDEX keyed_c ON keyed(c)");
    insert_rows("INSERT INTO plain VALUES(?, ?, ?)", rows, &state);
    insert_rows("INSERT INTO keyed VALUES(?, ?, ?)", rows, &state);
    printf("%lld\n", ranges("SELECT count(*) + total(b) FROM plain WHERE b BETWEEN ? AND ?", 12, rows / 12, rows / 9));
    printf("%lld\n", ranges("SELECT count(*) + total(a) FROM keyed WHERE b BETWEEN ? AND ?", rows / 10, 20, 60));
    run("SELECT count(*), avg(b) FROM plain WHERE c LIKE '%seven three%'");
    run("SELECT count(*), max(p.b) FROM plain p JOIN keyed k ON k.b = p.b WHERE p.a % 3 = 0");
    run("SELECT b % 100 AS bucket, count(*), sum(a), min(c) FROM keyed GROUP BY bucket ORDER BY 3 DESC, 1 LIMIT 3");
    run("SELECT c, a FROM plain ORDER BY c DESC, a LIMIT 3");
    change("UPDATE keyed SET b = b + 1 WHERE a = ?", rows / 2, 2);
    change("UPDATE keyed SET c = upper(c) WHERE b = ?", rows / 8, 8);
    change("DELETE FROM keyed WHERE a = ?", rows / 5, 5);
    run("DELETE FROM plain WHERE c GLOB '*nine*'");
    run("INSERT INTO plain SELECT * FROM keyed WHERE a % 4 = 1");
    run("WITH RECURSIVE n(k, x) AS (SELECT 1, 7 UNION ALL SELECT k + 1, (x * 1103515245 + 12345) % 2147483648 FROM n "
        "WHERE k < 20000) SELECT count(*), sum(x % 1000) FROM n");
    run("SELECT count(*), total(b), total(length(c)) FROM plain");
    run("VACUUM");
    run("PRAGMA integrity_check");
    sqlite3_close(db);
    return 0;
}
