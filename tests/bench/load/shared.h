/* What the driver and its client processes share: one block of memory, made by the driver. */
#ifndef SHARED_H
#define SHARED_H

#include <semaphore.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "options.h"

enum { CACHE_LINE = 64 };

static const uint32_t NO_CYCLE = UINT32_MAX;

typedef struct {
    alignas(CACHE_LINE) _Atomic double started_at;
    atomic_int connected;        /* PVs that have connected so far */
    _Atomic double connected_at; /* when the last of them did */
    atomic_int valued;           /* PVs that have had a value */
    atomic_uint cycle;           /* the cycle that `fresh` and `complete_at` tell about */
    atomic_int fresh;            /* PVs that have had an update in that cycle */
    _Atomic double complete_at;  /* when the last of them had */
    atomic_long updates;         /* updates since the start */
    _Atomic double marker;       /* number of the last put that complete results contain; they are those with one stamp */
} Client;

extern struct shared {
    sem_t wake;               /* posted at whatever the driver may be waiting for */
    atomic_uint cycle;        /* the put that updates belong to; only the driver changes it */
    _Atomic double put_stamp; /* when it was sent, POSIX seconds */
    _Atomic double base;      /* number of the last put before ours, as the marker tells */
    atomic_uint done_cycle;   /* the latest put that the server completed */
    _Atomic double done_at;
    Client clients[MAX_CLIENTS];
} *shared;

/* Behind it, by client: when the results of each put were complete, and the last value of each PV. */
_Atomic double *shared_seen_at(int client);
_Atomic double *shared_last(int client);

int create_shared(void);
void map_shared(int file);
int puts_in_all(void);
double clock_s(clockid_t clock);
double now(void);

/* The life of a client process; does not return. */
void run_client(void);

#endif
