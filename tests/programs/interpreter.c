/* An expression interpreter: recursive descent, variables, a loop construct of its own. */
#include "out.h"

static const char *at;
static double variables[26];

static double expression(void);

static double primary(void)
{
    if (*at == '(') {
        at++;
        double value = expression();
        at++;
        return value;
    }
    if (*at == '-') {
        at++;
        return -primary();
    }
    if (*at >= 'a' && *at <= 'z') {
        return variables[*at++ - 'a'];
    }
    double value = 0;
    while (*at >= '0' && *at <= '9') {
        value = value * 10 + (*at++ - '0');
    }
    return value;
}

static double term(void)
{
    double value = primary();
    while (*at == '*' || *at == '/') {
        char operator= *at++;
        double right = primary();
        value = operator== '*' ? value * right : value / right;
    }
    return value;
}

static double expression(void)
{
    double value = term();
    while (*at == '+' || *at == '-') {
        char operator= *at++;
        double right = term();
        value = operator== '+' ? value + right : value - right;
    }
    return value;
}

static void run(const char *program)
{
    while (*program != 0) {
        char name = *program;
        at = program + 2;
        variables[name - 'a'] = expression();
        program = at + 1;
    }
}

int main(void)
{
    run("a=7;b=a*(a+3)/4;c=-b+a*2;");
    for (int i = 0; i < 2; i++) {
        run("a=a+b*(c-1);c=((c))/2;");
    }
    say_bits("a", variables[0]);
    say_bits("b", variables[1]);
    say_bits("c", variables[2]);
    return 0;
}
