// SPDX-License-Identifier: 0BSD
// Reads a golden case without a library: c++ -std=c++17 load.cpp; ./a.out CASE.safetensors [ANSWER]
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

struct Case {
    std::string header, data;
    explicit Case(const char *path)
    {
        std::ifstream file(path, std::ios::binary);
        std::string all((std::istreambuf_iterator<char>(file)), {});
        std::uint64_t size = 0;
        if (all.size() < 8)
            throw std::runtime_error("no golden case");
        std::memcpy(&size, all.data(), 8);
        header = all.substr(8, size);
        data = all.substr(8 + size);
    }
    // What stands behind `key` from a position on; golden headers have no spaces and no escapes.
    std::string after(const std::string &key, const char *end, std::size_t from = 0) const
    {
        std::size_t at = header.find(key, from);
        if (at == std::string::npos)
            throw std::runtime_error("the file has no " + key);
        at += key.size();
        return header.substr(at, header.find_first_of(end, at) - at);
    }
    std::vector<double> load(const std::string &name) const
    {
        std::size_t at = header.find("\"" + name + "\":{");
        if (at == std::string::npos)
            throw std::runtime_error("the file has no " + name);
        std::string type = after("\"dtype\":\"", "\"", at);
        std::size_t begin = std::stoul(after("\"data_offsets\":[", ",", at));
        std::size_t end = std::stoul(after(",", "]", header.find("\"data_offsets\":[", at)));
        std::size_t width = type == "F64" ? 8 : type == "F32" ? 4 : 2;
        std::vector<double> numbers;
        for (const char *p = data.data() + begin; p != data.data() + end; p += width)
            numbers.push_back(number(type, p));
        return numbers;
    }
    template <class T> static T raw(const void *p)
    { // on a little-endian machine
        T x;
        std::memcpy(&x, p, sizeof x);
        return x;
    }
    static double number(const std::string &type, const char *p)
    {
        if (type == "F64")
            return raw<double>(p);
        if (type == "F32")
            return raw<float>(p);
        std::uint16_t h = raw<std::uint16_t>(p);
        std::uint32_t wide = std::uint32_t(h) << 16;
        if (type == "BF16")
            return raw<float>(&wide);
        int sign = h >> 15 ? -1 : 1, exponent = h >> 10 & 31, fraction = h & 1023;
        if (exponent == 31)
            return fraction ? NAN : sign * INFINITY;
        return sign *
               (exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24));
    }
};

int main(int argc, char **argv)
try {
    Case c(argc > 1 ? argv[1] : "");
    std::string answer = argc > 2 ? argv[2] : "o", id = c.after("\"case\":\"", "\"");
    std::vector<double> truth = c.load(answer), sigma = c.load(answer + ".sigma");
    std::string type = id.substr(id.rfind('-') + 1);         // a case's name ends in its type
    std::vector<double> yours = c.load(answer + "." + type); // your kernel's answer goes here

    double most = 0, z = 0;
    std::size_t row = truth.size() / sigma.size(); // a sigma for each row
    for (std::size_t k = 0; k < truth.size(); k++) {
        double error = std::fabs(yours[k] - truth[k]);
        most = error > most ? error : most;
        z = error > 0 ? std::max(z, error / sigma[k / row]) : z;
    }
    std::printf("%s: %zu numbers; largest error %.17g, %.17g sigma\n", answer.c_str(), truth.size(),
                most, z);
} catch (const std::exception &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
}
