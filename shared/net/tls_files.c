#include "shared/net/tls_files.h"

#include "shared/base/regular_file.h"
#include "shared/base/secret.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FLAW_SIZE = 128, PATH_SIZE = 256 };

bool tls_files_go_together(const struct tls_files *files, char *error, size_t error_bytes)
{
    if (!files->cert_file == !files->key_file)
        return true;
    snprintf(error, error_bytes, "%s and %s go together; %s is missing", files->cert_setting,
             files->key_setting, files->cert_file ? files->key_setting : files->cert_setting);
    return false;
}

const char *tls_files_flaw(const char *path)
{
    struct stat status;
    const char *flaw = NULL;
    int fd = regular_file_open(path, &status, &flaw);

    if (fd >= 0)
        close(fd);
    return flaw;
}

/* What is in a file may have been given instead of its path; a key may be in the file of a certificate,
 * too. */
bool tls_files_reject(const char *setting, const char *path, bool is_key, const char *flaw,
                      char *error, size_t error_bytes)
{
    bool may_be_key = is_key || strstr(path, "-----") != NULL;
    char shown[PATH_SIZE];
    const char *other = tls_files_flaw(path);

    if (may_be_key)
        secret_path(shown, sizeof(shown), path);
    snprintf(error, error_bytes, "%s: %s: %s", setting, may_be_key ? shown : path,
             other ? other : flaw);
    return false;
}

/* Nobody sits there to type it in. */
static int on_passphrase(char *out, int size, int is_writing, void *user)
{
    bool *is_wanted = user;

    (void)out;
    (void)size;
    (void)is_writing;
    *is_wanted = true;
    return 0;
}

/* What may be wrong with the key has more kinds than with the certificate. */
static bool reject_key(const struct tls_files *files, bool wants_passphrase, char *error,
                       size_t error_bytes)
{
    bool is_other = ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509;
    char flaw[FLAW_SIZE] = "no key in PEM";

    if (wants_passphrase)
        snprintf(flaw, sizeof(flaw), "it wants a passphrase; store it without one");
    else if (is_other)
        snprintf(flaw, sizeof(flaw), "not the key of the certificate in %s", files->cert_setting);
    return tls_files_reject(files->key_setting, files->key_file, true, flaw, error, error_bytes);
}

static bool load(SSL_CTX *context, const struct tls_files *files, const bool *wants_passphrase,
                 char *error, size_t error_bytes)
{
    if (tls_files_flaw(files->cert_file) ||
        SSL_CTX_use_certificate_chain_file(context, files->cert_file) != 1)
        return tls_files_reject(files->cert_setting, files->cert_file, false,
                                "no certificate in PEM", error, error_bytes);
    ERR_clear_error();
    if (tls_files_flaw(files->key_file) ||
        SSL_CTX_use_PrivateKey_file(context, files->key_file, SSL_FILETYPE_PEM) != 1)
        return reject_key(files, *wants_passphrase, error, error_bytes);
    return true;
}

bool tls_files_load(void *context, const struct tls_files *files, char *error, size_t error_bytes)
{
    bool wants_passphrase = false;
    bool is_good;

    SSL_CTX_set_default_passwd_cb(context, on_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(context, &wants_passphrase);
    is_good = load(context, files, &wants_passphrase, error, error_bytes);
    SSL_CTX_set_default_passwd_cb(context, NULL);
    SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
    ERR_clear_error();
    return is_good;
}
