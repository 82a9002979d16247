// The standard library of C++ at work: strings, streams, maps, sorting, smart pointers, virtual
// calls, lambdas.
#include <algorithm>
#include <deque>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

struct Shape {
    virtual ~Shape() = default;
    virtual double area() const = 0;
    virtual std::string name() const = 0;
};
struct Circle : Shape {
    explicit Circle(double r) : radius(r) {}
    double area() const override { return 3.14159265358979 * radius * radius; }
    std::string name() const override { return "circle"; }
    double radius;
};
struct Box : Shape {
    Box(double w, double h) : width(w), height(h) {}
    double area() const override { return width * height; }
    std::string name() const override { return "box"; }
    double width, height;
};

static std::string make_text(unsigned &seed, int words)
{
    static const std::vector<std::string> syllables = {"ka", "to", "mi", "re", "lo", "un", "si", "wa"};
    std::ostringstream out;
    for (int k = 0; k < words; k++) {
        std::string word;
        for (unsigned left = 1 + seed % 3; left-- > 0; seed = seed * 1103515245u + 12345u)
            word += syllables[(seed >> 16) % syllables.size()];
        out << word << (k % 10 == 9 ? '\n' : ' ');
    }
    return out.str();
}

int main(int argc, char **argv)
{
    const int rounds = argc > 1 ? std::stoi(argv[1]) : 5;
    unsigned seed = 42;
    std::map<std::string, int> total;
    for (int round = 0; round < rounds; round++) {
        std::istringstream text(make_text(seed, 400));
        std::unordered_map<std::string, int> counts;
        for (std::string word; text >> word;)
            counts[word]++;
        std::vector<std::pair<std::string, int>> order(counts.begin(), counts.end());
        std::sort(order.begin(), order.end(), [](const auto &a, const auto &b) {
            return a.second != b.second ? a.second > b.second : a.first < b.first;
        });
        for (const auto &[word, count] : order)
            total[word] += count;
        std::vector<std::unique_ptr<Shape>> shapes;
        std::deque<double> areas;
        for (int k = 1; k < 60; k++) {
            if (k % 2)
                shapes.push_back(std::make_unique<Circle>(k * 0.5));
            else
                shapes.push_back(std::make_unique<Box>(k, k + round));
            areas.push_front(shapes.back()->area());
        }
        std::function<double(double, double)> add = [round](double a, double b) { return a + b / (round + 1); };
        const double sum = std::accumulate(areas.begin(), areas.end(), 0.0, add);
        const std::set<std::string> names = {shapes[0]->name(), shapes[1]->name(), shapes[2]->name()};
        std::cout << round << ' ' << order[0].first << ' ' << order[0].second << ' ' << counts.size() << ' '
                  << names.size() << ' ' << std::setprecision(12) << sum << std::endl;
    }
    for (const auto &[word, count] : total)
        if (count > 3 * rounds)
            std::cout << std::left << std::setw(12) << word << std::right << std::setw(6) << count << '\n';
    return 0;
}
