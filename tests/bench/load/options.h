/* The command line of a load client, and the PVs that it names. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

enum { MAX_CLIENTS = 256, NO_DRIVER = -1 };

extern struct options {
    const char *drive;
    const char *monitor_file;
    const char *watch_file;
    const char *marker;
    double start; /* NAN: the value that the drive has when we connect */
    double step;
    int levels;
    int clients;
    int guests;
    const char *guest_program;
    int cycles;
    int warmup;
    double rate;
    double timeout;
    double connect_timeout;
    double hold;
    int put_callback;
    int by_time;
    int check_last;
    int connect_only;
    int join;   /* not for users: the shared memory of the driver that started this process as a client */
    int number; /* not for users: which of the clients this process is */
} options;

extern char **names;  /* the monitored PVs, then those that are only watched */
extern int monitored; /* PVs that a cycle waits for: the first of `names` */
extern int subscribed;
extern int marker;    /* index of the marker, -1 without one */

void parse_options(int argc, char **argv);
void read_names(void);
void fail(const char *format, ...);

#endif
