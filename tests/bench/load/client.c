/* A client process: counts what comes in, and tells the driver when all of it has come. */
#define _GNU_SOURCE
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "load.h"
#include "shared.h"

enum { POLL_US = 500 };

static Client *self;
static bool *has_connected; /* per PV; reconnecting does not count */
static bool *has_value;     /* per PV */
static uint32_t *seen;      /* per PV, the latest cycle in which it had an update */
static double *stamps;      /* per PV, the latest time stamp that it came with */

void load_connected(int pv)
{
    if (has_connected[pv])
        return;
    has_connected[pv] = true;
    if (self->connected + 1 == subscribed)
        self->connected_at = now();
    self->connected++;
    sem_post(&shared->wake);
}

/* The order of the stores matters: the driver looks at `cycle` first, then at `fresh`, then at `complete_at`. */
static void count_for_cycle(int pv, double stamp)
{
    uint32_t cycle = shared->cycle;
    if (seen[pv] == cycle || (options.by_time && stamp < shared->put_stamp))
        return;
    seen[pv] = cycle;
    if (self->cycle != cycle) {
        self->fresh = 0;
        self->cycle = cycle;
    }
    bool complete = self->fresh + 1 == monitored;
    if (complete)
        self->complete_at = now();
    self->fresh++;
    if (complete)
        sem_post(&shared->wake);
}

/* What belongs together has one time stamp: results are complete when all PVs have come with that of the newest. */
static void count_for_marker(int pv, double stamp, double value)
{
    static double newest, number_of_put;
    static int count;
    if (pv == marker)
        number_of_put = value;
    if (stamp > newest) {
        newest = stamp;
        count = 0;
    }
    if (stamp != newest || stamps[pv] == stamp)
        return;
    stamps[pv] = stamp;
    if (++count < monitored)
        return;
    double time = now(), base = shared->base;
    if (!isnan(base)) {
        _Atomic double *seen_at = shared_seen_at(options.number);
        for (int put = (int)(fmax(self->marker, base) - base) + 1; put <= (int)(number_of_put - base); put++)
            if (put < puts_in_all())
                seen_at[put] = time;
    }
    self->marker = number_of_put;
    sem_post(&shared->wake);
}

void load_event(int pv, double stamp, double value)
{
    self->updates++;
    shared_last(options.number)[pv] = value;
    if (!has_value[pv]) {
        has_value[pv] = true;
        self->valued++;
        sem_post(&shared->wake);
    }
    if (pv >= monitored)
        return;
    count_for_cycle(pv, stamp);
    if (marker >= 0)
        count_for_marker(pv, stamp, value);
}

bool load_needs_stamps(void) { return options.by_time || marker >= 0; }

void run_client(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    map_shared(options.join);
    self = &shared->clients[options.number];
    has_connected = calloc(subscribed, sizeof *has_connected);
    has_value = calloc(subscribed, sizeof *has_value);
    stamps = calloc(subscribed, sizeof *stamps);
    seen = malloc(subscribed * sizeof *seen);
    for (int pv = 0; pv < subscribed; pv++)
        seen[pv] = NO_CYCLE;

    protocol_start();
    self->started_at = now();
    protocol_connect(names, subscribed);
    while (self->connected < subscribed)
        usleep(POLL_US);
    if (!options.connect_only)
        protocol_subscribe();
    for (;;)
        pause();
}
