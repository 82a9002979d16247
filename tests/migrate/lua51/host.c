/* Runs scripts in Lua 5.1, each in a state of its own, in the folder /d.

   The arguments are scripts' names; a number before some of them says how often each runs. An error cannot be caught
   without setjmp: it ends its script, whose state and native frames are left as they are for ever, and the next script
   runs on top of them. Each script's last line of output says how it ended: "whole", or the line it got to. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

static char **next; /* argument */
static int rounds = 1, done;
static lua_State *running; /* the main thread of the script */

static void say(const char *how, int line, const char *why)
{
    printf("\n%s: %s, line %d: %s\n", *next, how, line, why != NULL ? why : "(no string)");
    fflush(stdout);
}

static int to_the_end(lua_State *state);

static void one_script(void)
{
    running = luaL_newstate();
    if (running == NULL || chdir("/d") != 0) {
        printf("no memory, or no folder /d\n");
        exit(1);
    }
    luaL_openlibs(running);
    lua_pushcfunction(running, to_the_end);
    if (luaL_loadfile(running, *next) != 0 || lua_pcall(running, 0, 0, 1) != 0) {
        say("cannot be loaded", 0, lua_tostring(running, -1));
    } else {
        say("whole", 0, "");
        lua_close(running);
    }
}

static _Noreturn void go_on(void)
{
    for (; *next != NULL; next++) {
        if (atoi(*next) > 0)
            rounds = atoi(*next);
        else
            while (done++ < rounds)
                one_script();
        done = 0;
    }
    exit(0);
}

/* Leaves a script; the line is the one that its main function is at. */
static _Noreturn void leave(lua_State *state, const char *how)
{
    lua_Debug place;
    int line = 0;
    for (int level = 0; lua_getstack(running, level, &place); level++)
        if (lua_getinfo(running, "Sl", &place) && *place.what == 'm')
            line = place.currentline;
    say(how, line, lua_tostring(state, -1));
    go_on();
}

_Noreturn void error_is_caught(lua_State *state)
{
    leave(state, "an error would be caught");
}

static int to_the_end(lua_State *state)
{
    leave(state, "failed");
}

char *temporary_name(char *name)
{
    static char own[L_tmpnam];
    static int count;
    char *out = name != NULL ? name : own;
    snprintf(out, L_tmpnam, "/d/temporary-%d", count++);
    return out;
}

FILE *temporary_file(void)
{
    char name[L_tmpnam];
    return fopen(temporary_name(name), "w+");
}

/* The scripts print how long they took, which must not differ between runs. */
clock_t clock(void)
{
    return 0;
}

/* There is no shell. */
int system(const char *command)
{
    return command == NULL ? 0 : -1;
}

int main(int argc, char **argv)
{
    (void)argc;
    setvbuf(stdout, NULL, _IOLBF, 256);
    next = argv + 1;
    go_on();
}
