/* Runs the script that the build puts into script.inc; the first argument is its global `rounds`. */
#include <stdio.h>
#include <stdlib.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

static const char script[] = {
#include "script.inc"
    , 0};

static const luaL_Reg libraries[] = {
    {LUA_GNAME, luaopen_base},        {LUA_TABLIBNAME, luaopen_table}, {LUA_STRLIBNAME, luaopen_string},
    {LUA_MATHLIBNAME, luaopen_math}, {LUA_UTF8LIBNAME, luaopen_utf8},
};

int main(int argc, char **argv)
{
    lua_State *state = luaL_newstate();
    if (state == NULL) {
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 256);
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        luaL_requiref(state, libraries[i].name, libraries[i].func, 1);
        lua_pop(state, 1);
    }
    lua_pushinteger(state, argc > 1 ? atoi(argv[1]) : 1);
    lua_setglobal(state, "rounds");
    if (luaL_loadbuffer(state, script, sizeof script - 1, "=script") != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(state, -1));
        return 1;
    }
    lua_call(state, 0, 0);
    lua_close(state);
    return 0;
}
