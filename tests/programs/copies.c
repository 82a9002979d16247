// Prints the first line of /d/in/text, waits for a line of standard input, prints the rest.
#include <stdio.h>

int main(void)
{
    char line[100], word[100];
    FILE *file = fopen("/d/in/text", "r");
    if (file == NULL || fgets(line, sizeof line, file) == NULL)
        return 1;
    fputs(line, stdout);
    fflush(stdout);
    if (fgets(word, sizeof word, stdin) == NULL)
        return 2;
    while (fgets(line, sizeof line, file) != NULL)
        fputs(line, stdout);
    return 0;
}
