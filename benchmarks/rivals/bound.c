/* The engine's own algorithm as plain C, for what a compiler makes of it: Tsit5 with PI step control, L patients side by
   side, each with its own time and step size. N, C and rhs() are generated for a model and come before this text. */
#include <math.h>
#include <stddef.h>

static const double A21 = 0.161, A31 = -0.008480655492356989, A32 = 0.335480655492357, A41 = 2.8971530571054935,
    A42 = -6.359448489975075, A43 = 4.3622954328695815, A51 = 5.325864828439257, A52 = -11.748883564062828,
    A53 = 7.4955393428898365, A54 = -0.09249506636175525, A61 = 5.86145544294642, A62 = -12.92096931784711,
    A63 = 8.159367898576159, A64 = -0.071584973281401, A65 = -0.028269050394068383, B1 = 0.09646076681806523, B2 = 0.01,
    B3 = 0.4798896504144996, B4 = 1.379008574103742, B5 = -3.290069515436081, B6 = 2.324710524099774,
    E1 = -0.00178001105222577714, E2 = -0.0008164344596567469, E3 = 0.007880878010261995, E4 = -0.1447110071732629,
    E5 = 0.5823571654525552, E6 = -0.45808210592918697, E7 = 0.015151515151515152;

typedef struct {
    double c[C][L], r[N][L], y[N][L], u[N][L], k1[N][L], k2[N][L], k3[N][L], k4[N][L], k5[N][L], k6[N][L], f[N][L];
    double t[L], dt[L], h[L], edge[L], to_edge[L], now[L], before[L], rejected[L], worst[L], good[L], fresh[L];
    long patient[L], sample[L], steps[L];
} Group;

typedef struct {
    long n, doses, samples;
    const double *constants, *start, *day, *stop, *amount, *sample_at;
    const long *state;
    double until, *out;
    long *steps;
} Task;

#define STATES for (int i = 0; i < N; i++)
#define LANES _Pragma("GCC ivdep") for (int l = 0; l < L; l++)

static void slopes(Group *g, double at) {
    LANES g->now[l] = g->t[l] + at * g->dt[l];
    rhs(g->now, &g->u[0][0], &g->c[0][0], &g->r[0][0], &g->f[0][0]);
}

static void try_step(Group *g, double rtol, double atol) {
    STATES LANES g->u[i][l] = g->y[i][l] + g->dt[l] * (A21 * g->k1[i][l]);
    slopes(g, 0.161);
    STATES LANES {
        g->k2[i][l] = g->f[i][l];
        g->u[i][l] = g->y[i][l] + g->dt[l] * (A31 * g->k1[i][l] + A32 * g->k2[i][l]);
    }
    slopes(g, 0.327);
    STATES LANES {
        g->k3[i][l] = g->f[i][l];
        g->u[i][l] = g->y[i][l] + g->dt[l] * (A41 * g->k1[i][l] + A42 * g->k2[i][l] + A43 * g->k3[i][l]);
    }
    slopes(g, 0.9);
    STATES LANES {
        g->k4[i][l] = g->f[i][l];
        g->u[i][l] = g->y[i][l] + g->dt[l] * (A51 * g->k1[i][l] + A52 * g->k2[i][l] + A53 * g->k3[i][l] + A54 * g->k4[i][l]);
    }
    slopes(g, 0.9800255409045097);
    STATES LANES {
        g->k5[i][l] = g->f[i][l];
        g->u[i][l] = g->y[i][l] + g->dt[l] * (A61 * g->k1[i][l] + A62 * g->k2[i][l] + A63 * g->k3[i][l]
            + A64 * g->k4[i][l] + A65 * g->k5[i][l]);
    }
    slopes(g, 1.0);
    STATES LANES {
        g->k6[i][l] = g->f[i][l];
        g->u[i][l] = g->y[i][l] + g->dt[l] * (B1 * g->k1[i][l] + B2 * g->k2[i][l] + B3 * g->k3[i][l] + B4 * g->k4[i][l]
            + B5 * g->k5[i][l] + B6 * g->k6[i][l]);
    }
    slopes(g, 1.0);
    LANES g->worst[l] = 0.0;
    STATES LANES {
        double error = g->dt[l] * (E1 * g->k1[i][l] + E2 * g->k2[i][l] + E3 * g->k3[i][l] + E4 * g->k4[i][l]
            + E5 * g->k5[i][l] + E6 * g->k6[i][l] + E7 * g->f[i][l]);
        double size = fmax(fabs(g->y[i][l]), fabs(g->u[i][l]));
        g->worst[l] = fmax(g->worst[l], fabs(error) / (atol + rtol * size));
    }
}

static void judge(Group *g) {
    LANES {
        double dt = g->dt[l], worst = g->worst[l], size = log(fmax(worst, 1e-14));
        double good = worst <= 1.0 ? 1.0 : 0.0;
        double factor = fmin(fmax(0.9 * exp(0.04 * g->before[l] - 0.17 * size), 0.2), 10.0);
        factor = g->rejected[l] > 0.0 ? fmin(factor, 1.0) : factor;
        double longer = dt < g->h[l] && factor >= 1.0 ? fmax(g->h[l], dt * factor) : dt * factor;
        double shorter = dt * fmax(0.9 * exp(-0.2 * size), 0.2);
        g->good[l] = good;
        g->h[l] = good > 0.0 ? longer : shorter;
        g->before[l] = good > 0.0 ? fmax(size, -9.210340371976182) : g->before[l];
        g->rejected[l] = 1.0 - good;
    }
}

static void write_samples(const Task *a, Group *g, int l, double until) {
    long p = g->patient[l];
    for (; g->sample[l] < a->samples && a->sample_at[g->sample[l]] < until; g->sample[l]++) {
        double h = g->dt[l], x = (a->sample_at[g->sample[l]] - g->t[l]) / h, q = x * x;
        double b1 = x * (1.0 + x * (-2.763706197274826 + x * (2.9132554618219126 - 1.0530884977290216 * x)));
        double b2 = q * (0.13169999999999998 + x * (-0.2234 + 0.1017 * x));
        double b3 = q * (3.9302962368947516 + x * (-5.941033872131505 + 2.490627285651253 * x));
        double b4 = q * (-12.411077166933676 + x * (30.33818863028232 - 16.548102889244902 * x));
        double b5 = q * (37.50931341651104 + x * (-88.1789048947664 + 47.37952196281928 * x));
        double b6 = q * (-27.896526289197286 + x * (65.09189467479366 - 34.87065786149661 * x));
        double b7 = q * (1.5 + x * (-4.0 + 2.5 * x));
        STATES a->out[(p * a->samples + g->sample[l]) * N + i] = g->y[i][l] + h * (b1 * g->k1[i][l] + b2 * g->k2[i][l]
            + b3 * g->k3[i][l] + b4 * g->k4[i][l] + b5 * g->k5[i][l] + b6 * g->k6[i][l] + b7 * g->f[i][l]);
    }
}

/* Samples and infusions at an edge; whether the patient of the lane has further to go. */
static int settle(const Task *a, Group *g, int l) {
    long p = g->patient[l];
    double t = g->t[l];
    for (; g->sample[l] < a->samples && a->sample_at[g->sample[l]] <= t; g->sample[l]++)
        STATES a->out[(p * a->samples + g->sample[l]) * N + i] = g->y[i][l];
    if (t >= a->until) return 0;
    double edge = a->until;
    STATES g->r[i][l] = 0.0;
    for (long d = 0; d < a->doses; d++) {
        if (a->day[d] > t) edge = fmin(edge, a->day[d]);
        else if (a->stop[d] > t) {
            g->r[a->state[d]][l] += a->amount[p * a->doses + d] / (a->stop[d] - a->day[d]);
            edge = fmin(edge, a->stop[d]);
        }
    }
    g->edge[l] = edge;
    g->before[l] = g->rejected[l] = 0.0;
    return 1;
}

void solve(const Task *a, double rtol, double atol) {
    static Group group;
    Group *g = &group;
    long next = 0;
    int at_edge[L];
    for (int l = 0; l < L; l++) at_edge[l] = 1, g->patient[l] = -1;
    for (;;) {
        int busy = 0, fresh = 0;
        for (int l = 0; l < L; l++) {
            g->fresh[l] = 0.0;
            while (at_edge[l]) {
                if (g->patient[l] < 0) {
                    if (next >= a->n) { g->edge[l] = g->t[l]; break; }
                    long p = g->patient[l] = next++;
                    for (int j = 0; j < C; j++) g->c[j][l] = a->constants[p * C + j];
                    STATES g->y[i][l] = a->start[p * N + i];
                    g->t[l] = g->h[l] = 0.0;
                    g->sample[l] = g->steps[l] = 0;
                }
                if (settle(a, g, l)) { at_edge[l] = 0; g->fresh[l] = 1.0; fresh = 1; }
                else { a->steps[g->patient[l]] = g->steps[l]; g->patient[l] = -1; }
            }
            busy |= g->patient[l] >= 0;
        }
        if (!busy) break;
        if (fresh) {
            STATES LANES g->u[i][l] = g->y[i][l];
            slopes(g, 0.0);
            STATES LANES g->k1[i][l] = g->fresh[l] > 0.0 ? g->f[i][l] : g->k1[i][l];
            for (int l = 0; l < L; l++)
                if (g->fresh[l] > 0.0 && !(g->h[l] > 0.0)) {
                    double size = 0.0, slope = 0.0;
                    STATES {
                        double scale = atol + rtol * fabs(g->y[i][l]);
                        size = fmax(size, fabs(g->y[i][l]) / scale);
                        slope = fmax(slope, fabs(g->f[i][l]) / scale);
                    }
                    g->h[l] = size > 1e-5 && slope > 1e-5 ? 0.01 * size / slope : 1e-6;
                }
        }
        LANES {
            g->to_edge[l] = g->t[l] + 1.01 * g->h[l] >= g->edge[l] ? 1.0 : 0.0;
            g->dt[l] = g->to_edge[l] > 0.0 ? g->edge[l] - g->t[l] : g->h[l];
        }
        try_step(g, rtol, atol);
        judge(g);
        for (int l = 0; l < L; l++)
            if (g->patient[l] >= 0) {
                g->steps[l]++;
                if (g->good[l] > 0.0) {
                    double reached = g->to_edge[l] > 0.0 ? g->edge[l] : g->t[l] + g->dt[l];
                    if (g->sample[l] < a->samples && a->sample_at[g->sample[l]] < reached) write_samples(a, g, l, reached);
                    g->t[l] = reached;
                    at_edge[l] = g->to_edge[l] > 0.0;
                }
            }
        STATES LANES {
            g->y[i][l] = g->good[l] > 0.0 ? g->u[i][l] : g->y[i][l];
            g->k1[i][l] = g->good[l] > 0.0 ? g->f[i][l] : g->k1[i][l];
        }
    }
}
