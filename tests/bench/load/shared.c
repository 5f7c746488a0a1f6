/* Shared memory and clocks: see shared.h. */
#define _GNU_SOURCE
#include "shared.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct shared *shared;

/* Puts are numbered from 1; the last one puts the first value back. */
int puts_in_all(void) { return options.warmup + options.cycles + 2; }

static int all_clients(void) { return options.clients + options.guests + 1; /* with the one of --check-last */ }

static size_t share_of_client(void) { return (size_t)puts_in_all() + (size_t)subscribed; }

static size_t size_of_all(void) { return sizeof *shared + all_clients() * share_of_client() * sizeof(double); }

_Atomic double *shared_seen_at(int client) { return (_Atomic double *)(shared + 1) + client * share_of_client(); }

_Atomic double *shared_last(int client) { return shared_seen_at(client) + puts_in_all(); }

double clock_s(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

double now(void) { return clock_s(CLOCK_MONOTONIC); }

void map_shared(int file)
{
    shared = mmap(NULL, size_of_all(), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (shared == MAP_FAILED)
        fail("mmap: %s", strerror(errno));
}

int create_shared(void)
{
    int file = memfd_create("load", 0);
    if (file < 0 || ftruncate(file, (off_t)size_of_all()))
        fail("shared memory: %s", strerror(errno));
    map_shared(file);
    sem_init(&shared->wake, true, 0);
    shared->done_cycle = NO_CYCLE;
    shared->base = NAN;
    for (int i = 0; i < all_clients(); i++) {
        shared->clients[i].cycle = NO_CYCLE;
        shared->clients[i].marker = NAN;
    }
    return file;
}
