/* A state machine over a text: a switch in a loop, states that fall through. */
#include "out.h"

enum state { OUTSIDE, NUMBER, NAME, STRING, ESCAPE, COMMENT };

int main(void)
{
    const char *text = "x1=42+'a\\'b' #note\ny=7";
    enum state state = OUTSIDE;
    int numbers = 0, names = 0, strings = 0, value = 0, total = 0;
    for (const char *at = text;; at++) {
        char c = *at;
        switch (state) {
        case OUTSIDE:
        outside:
            if (c >= '0' && c <= '9') {
                state = NUMBER;
                value = c - '0';
                numbers++;
            } else if (c >= 'a' && c <= 'z') {
                state = NAME;
                names++;
            } else if (c == '\'') {
                state = STRING;
                strings++;
            } else if (c == '#') {
                state = COMMENT;
            } else {
                state = OUTSIDE;
            }
            break;
        case NUMBER:
            if (c >= '0' && c <= '9') {
                value = value * 10 + c - '0';
                break;
            }
            total += value;
            goto outside;
        case NAME:
            if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
                break;
            }
            goto outside;
        case STRING: state = c == '\\' ? ESCAPE : c == '\'' ? OUTSIDE : STRING; break;
        case ESCAPE: state = STRING; break;
        case COMMENT: state = c == '\n' ? OUTSIDE : COMMENT; break;
        }
        if (c == 0) {
            break;
        }
    }
    say("numbers", numbers);
    say("names", names);
    say("strings", strings);
    say("total", total);
    return 0;
}
