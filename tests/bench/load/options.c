/* The command line: see options.h. */
#define _GNU_SOURCE
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options options = {
    .start = NAN,
    .step = 1,
    .levels = 2,
    .clients = 1,
    .cycles = 200,
    .warmup = 5,
    .timeout = 2,
    .connect_timeout = 30,
    .join = NO_DRIVER,
};

char **names;
int monitored;
int subscribed;
int marker = -1;

static const char USAGE[] =
    "usage: %s --monitor-file FILE (--drive PV | --connect-only) [options]\n"
    "  --monitor-file FILE   PVs that every client monitors, one name per line\n"
    "  --watch-file FILE     more PVs that every client monitors, but no cycle waits for\n"
    "  --drive PV            setpoint to write\n"
    "  --drive-start X       first of its values (default: its present value); it is left at X\n"
    "  --drive-step D        distance between its values (default 1)\n"
    "  --drive-levels L      number of its values: X, X+D ... X+(L-1)D, in turn (default 2); 0: never turn back\n"
    "  --clients N           client processes (default 1)\n"
    "  --guests N            client processes more, which run another load client (default 0)\n"
    "  --guest-program FILE  that load client\n"
    "  --cycles K            puts that count (default 200)\n"
    "  --warmup W            puts before them that do not (default 5)\n"
    "  --rate HZ             put this often; 0: put as soon as the last cycle is complete (default 0)\n"
    "  --marker PV           monitored PV that tells the number of the last put that results contain: measures each put,\n"
    "                        until all monitored PVs have come with the time stamp of results that contain it\n"
    "  --check-last          at the end, compare each client's last values with those that a new client gets\n"
    "  --timeout S           give a cycle up after S seconds (default 2)\n"
    "  --connect-timeout S   give connecting up after S seconds (default 30)\n"
    "  --put-callback        ask for put completion, wait for it, report its latency\n"
    "  --by-time             only count updates whose time stamp is not older than the put\n"
    "  --connect-only        measure connecting, nothing else\n"
    "  --hold S              with --connect-only: stay connected for S seconds\n";

void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

static double number(const char *option, const char *text, double least)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= least))
        fail("--%s: not a number of at least %g: %s", option, least, text);
    return value;
}

static void check_options(const char *program)
{
    if (!options.monitor_file || (!options.drive && !options.connect_only)) {
        fprintf(stderr, USAGE, program);
        exit(EXIT_FAILURE);
    }
    if (options.clients + options.guests >= MAX_CLIENTS)
        fail("--clients, --guests: less than %d together", MAX_CLIENTS);
    if (options.guests && !options.guest_program)
        fail("--guests: which program? give --guest-program");
}

void parse_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"drive", required_argument, NULL, 'd'},
        {"drive-start", required_argument, NULL, 'x'},
        {"drive-step", required_argument, NULL, 's'},
        {"drive-levels", required_argument, NULL, 'l'},
        {"monitor-file", required_argument, NULL, 'm'},
        {"watch-file", required_argument, NULL, 'W'},
        {"marker", required_argument, NULL, 'M'},
        {"clients", required_argument, NULL, 'c'},
        {"guests", required_argument, NULL, 'g'},
        {"guest-program", required_argument, NULL, 'G'},
        {"cycles", required_argument, NULL, 'k'},
        {"warmup", required_argument, NULL, 'w'},
        {"rate", required_argument, NULL, 'r'},
        {"timeout", required_argument, NULL, 't'},
        {"connect-timeout", required_argument, NULL, 'T'},
        {"hold", required_argument, NULL, 'H'},
        {"put-callback", no_argument, &options.put_callback, true},
        {"by-time", no_argument, &options.by_time, true},
        {"check-last", no_argument, &options.check_last, true},
        {"connect-only", no_argument, &options.connect_only, true},
        {"join", required_argument, NULL, 'j'},
        {"number", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int letter, which;
    while ((letter = getopt_long(argc, argv, "", known, &which)) != -1) {
        const char *name = letter == '?' ? NULL : known[which].name;
        switch (letter) {
        case 0: break;
        case 'd': options.drive = optarg; break;
        case 'm': options.monitor_file = optarg; break;
        case 'W': options.watch_file = optarg; break;
        case 'M': options.marker = optarg; break;
        case 'G': options.guest_program = optarg; break;
        case 'x': options.start = number(name, optarg, -INFINITY); break;
        case 's': options.step = number(name, optarg, -INFINITY); break;
        case 'l': options.levels = (int)number(name, optarg, 0); break;
        case 'c': options.clients = (int)number(name, optarg, 0); break;
        case 'g': options.guests = (int)number(name, optarg, 0); break;
        case 'k': options.cycles = (int)number(name, optarg, 1); break;
        case 'w': options.warmup = (int)number(name, optarg, 0); break;
        case 'r': options.rate = number(name, optarg, 0); break;
        case 't': options.timeout = number(name, optarg, 0); break;
        case 'T': options.connect_timeout = number(name, optarg, 0); break;
        case 'H': options.hold = number(name, optarg, 0); break;
        case 'j': options.join = (int)number(name, optarg, 0); break;
        case 'n': options.number = (int)number(name, optarg, 0); break;
        case 'h': printf(USAGE, argv[0]); exit(EXIT_SUCCESS);
        default: fprintf(stderr, USAGE, argv[0]); exit(EXIT_FAILURE);
        }
    }
    if (optind < argc)
        fail("unexpected argument: %s", argv[optind]);
    check_options(argv[0]);
}

static void add_names(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        fail("%s: %s", path, strerror(errno));
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) != -1) {
        line[strcspn(line, " \t\r\n")] = '\0';
        if (!*line || *line == '#')
            continue;
        names = realloc(names, (subscribed + 1) * sizeof *names);
        names[subscribed++] = strdup(line);
    }
    free(line);
    fclose(file);
}

void read_names(void)
{
    add_names(options.monitor_file);
    monitored = subscribed;
    if (!monitored)
        fail("%s: no PV names", options.monitor_file);
    if (options.watch_file)
        add_names(options.watch_file);
    for (int pv = 0; options.marker && pv < monitored; pv++)
        if (!strcmp(names[pv], options.marker))
            marker = pv;
    if (options.marker && marker < 0)
        fail("--marker: %s is not in %s", options.marker, options.monitor_file);
}
