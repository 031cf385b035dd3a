#include "poisson.h"

#include <string.h>

static uint64_t state = 0x9e3779b97f4a7c15ULL;

void poisson_seed(uint64_t seed) { state ^= seed * 0x9e3779b97f4a7c15ULL + 1; }

/* splitmix64: any state will do, so a reseed after fork needs no care. */
static uint64_t next_random(void) {
    uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

double poisson_uniform(void) { return (double)((next_random() >> 11) + 1) * 0x1p-53; }

/* ln x = e·ln 2 + ln m with m in [1, 2), the latter by 2·artanh((m−1)/(m+1)); error below 1e-10. */
static double natural_log(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffULL) | 0x3ff0000000000000ULL;
    double m;
    memcpy(&m, &bits, sizeof m);
    double t = (m - 1) / (m + 1), square = t * t, power = t, sum = 0;
    for (int k = 1; k <= 19; k += 2, power *= square) sum += power / k;
    return exponent * 0.69314718055994531 + 2 * sum;
}

/* 1 − e^(−x): halve x until it is small, take the series, then square up, 1−(1−y)² = y(2−y), so that nothing
 * cancels. */
static double one_minus_exp(double x) {
    if (x > 40) return 1;
    int halvings = 0;
    while (x > 0.05) {
        x *= 0.5;
        halvings++;
    }
    double y = x * (1 - x / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5))));
    while (halvings-- > 0) y = y * (2 - y);
    return y;
}

int64_t poisson_gap(double average_bytes) { return (int64_t)(-natural_log(poisson_uniform()) * average_bytes); }

double poisson_probability(double bytes, double average_bytes) {
    return one_minus_exp((bytes < 1 ? 1 : bytes) / average_bytes);
}
