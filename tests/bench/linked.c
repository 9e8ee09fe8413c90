/* linked: what a program takes in memory that has the libraries of PostgreSQL and MQTT, and does nothing. Prints
 * its resident kB: pages of shared libraries, and theirs of its own. */
#include <libpq-fe.h>
#include <mosquitto.h>

#include <stdio.h>

int main(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    int major;
    int resident_kb = 0;

    mosquitto_lib_version(&major, NULL, NULL);
    if (!status)
        return 1;
    while (fgets(line, sizeof(line), status))
        sscanf(line, "VmRSS: %d kB", &resident_kb);
    printf("%d\n", resident_kb);
    return fclose(status) == 0 && resident_kb > 0 && PQlibVersion() > 0 && major > 0 ? 0 : 1;
}
