/* qsort and bsearch call back into the program; a table of function pointers of one type. */
#include <stdlib.h>

#include "out.h"

static int compared;

static int ascending(const void *a, const void *b)
{
    compared++;
    int x = *(const int *)a, y = *(const int *)b;
    return x < y ? -1 : x > y;
}

static int by_low_digit(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    int order = x % 10 - y % 10;
    return order != 0 ? order : ascending(a, b);
}

static int add(int a, int b) { return a + b; }
static int subtract(int a, int b) { return a - b; }
static int multiply(int a, int b) { return a * b; }
static int power(int a, int b)
{
    int result = 1;
    while (b-- > 0) {
        result *= a;
    }
    return result;
}

int main(void)
{
    static int values[12];
    int (*operators[])(int, int) = {add, subtract, multiply, power};
    unsigned state = 42;
    for (int i = 0; i < 12; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (int)(state >> 20);
    }
    qsort(values, 12, sizeof values[0], ascending);
    say("first", values[0]);
    say("last", values[11]);
    qsort(values, 12, sizeof values[0], by_low_digit);
    say("digit", values[0]);
    say("compared", compared);
    int total = 0;
    for (int i = 0; i < 8; i++) {
        int (*volatile operator)(int, int) = operators[i & 3];
        total = operator(total & 15, i) + i;
    }
    say("total", total);
    return 0;
}
