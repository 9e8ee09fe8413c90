/* tls_files.h: our own certificate and its key, into an SSL_CTX, and what is wrong with the files.
 *
 * Errors   false with a sentence that begins with the setting's name. What may be a key given in the place
 *          of its path is not shown.
 * Owner    nothing is kept.
 */
#ifndef HIGHWATER_TLS_FILES_H
#define HIGHWATER_TLS_FILES_H

#include <stdbool.h>
#include <stddef.h>

struct tls_files {
    const char *cert_setting; /* what they are called: MQTT_CERT_FILE */
    const char *key_setting;
    const char *cert_file; /* the certificate, and those between it and an authority */
    const char *key_file;
};

/* Both or neither must be given: neither is not an error, and then there is nothing to load. */
bool tls_files_go_together(const struct tls_files *files, char *error, size_t error_bytes);

/* `context` is an SSL_CTX. */
bool tls_files_load(void *context, const struct tls_files *files, char *error, size_t error_bytes);

/* NULL, or why the file cannot be read. One that is no regular file might be waited for, as a FIFO is, and
 * files are read again while the loop runs. */
const char *tls_files_flaw(const char *path);

/* Says that a file cannot be read, or else that it is not what it should be; returns false. */
bool tls_files_reject(const char *setting, const char *path, bool is_key, const char *flaw,
                      char *error, size_t error_bytes);

#endif
