/* Binary trees on the heap, built, walked and freed by recursion. */
#include <stdlib.h>

#include "out.h"

struct node {
    struct node *left, *right;
    int64_t value;
};

static struct node *insert(struct node *tree, int64_t value)
{
    if (tree == 0) {
        tree = malloc(sizeof *tree);
        *tree = (struct node){0, 0, value};
    } else if (value < tree->value) {
        tree->left = insert(tree->left, value);
    } else {
        tree->right = insert(tree->right, value);
    }
    return tree;
}

static int64_t fold(const struct node *tree, int64_t depth)
{
    return tree == 0 ? depth : (fold(tree->left, depth + 1) * 3 ^ tree->value) + fold(tree->right, depth + 2);
}

static void drop(struct node *tree)
{
    if (tree != 0) {
        drop(tree->left);
        drop(tree->right);
        free(tree);
    }
}

int main(void)
{
    struct node *tree = 0;
    int64_t value = 3;
    for (int i = 0; i < 12; i++) {
        value = value * 7919 % 10007;
        tree = insert(tree, value - 5000);
    }
    say("fold", fold(tree, 0));
    drop(tree);
    return 0;
}
