/* printf, malloc and string functions of the C library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *words[3] = {strdup("alpha"), strdup("beta"), strdup("gamma")};
    size_t length = 0;
    for (int i = 0; i < 3; i++) {
        length += strlen(words[i]);
    }
    char *joined = malloc(length + 1);
    joined[0] = 0;
    for (int i = 0; i < 3; i++) {
        strcat(joined, words[i]);
        free(words[i]);
    }
    printf("%s %zu\n", joined, length);
    printf("%d %x %.3f\n", -42, 0xbeef, 3.14159);
    free(joined);
    return 0;
}
