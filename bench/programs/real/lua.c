/* Runs one of the Lua scripts that the build puts into scripts.inc: the first argument is its name, the second one
 * the global `size`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

/* {name, text, bytes}, ..., {0} */
static const struct script {
    const char *name, *text;
    size_t size;
} scripts[] = {
#include "scripts.inc"
};

static const luaL_Reg libraries[] = {
    {LUA_GNAME, luaopen_base}, {LUA_TABLIBNAME, luaopen_table}, {LUA_STRLIBNAME, luaopen_string}, {LUA_MATHLIBNAME, luaopen_math}};

int main(int argc, char **argv)
{
    lua_State *state = luaL_newstate();
    const struct script *script = scripts;
    if (argc != 3 || state == NULL) {
        return 1;
    }
    while (script->name != NULL && strcmp(script->name, argv[1]) != 0) {
        script++;
    }
    if (script->name == NULL) {
        fprintf(stderr, "no script %s\n", argv[1]);
        return 1;
    }
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        luaL_requiref(state, libraries[i].name, libraries[i].func, 1);
        lua_pop(state, 1);
    }
    lua_pushinteger(state, atoi(argv[2]));
    lua_setglobal(state, "size");
    if (luaL_loadbuffer(state, script->text, script->size, script->name) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(state, -1));
        return 1;
    }
    lua_call(state, 0, 0);
    lua_close(state);
    return 0;
}
