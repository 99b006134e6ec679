#if NET
using System.Security.Cryptography;
using Qcow2.Engine.Disks;
#endif

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>Key derivation from a passphrase (RFC 8018, section 5.2) that can be cancelled.</summary>
internal static class Pbkdf2
{
#if NET
    // The platform's implementation is twice as fast as ours but cannot be stopped. So that Ctrl+C is heeded at once it
    // runs on a thread that is left behind when the caller gives up, which is done only with work of some seconds.
    private const int MaxAbandonedIterations = 1 << 24;
    private const int MinThreadIterations = 1 << 16;
#endif

    /// <summary>Derives a key.</summary>
    /// <param name="hash">The hash of the HMAC.</param>
    /// <param name="password">The passphrase, or in LUKS also the master key.</param>
    /// <param name="salt">The salt.</param>
    /// <param name="iterations">At least 1.</param>
    /// <param name="key">Receives the key; its length is part of the computation's cost, not of its result.</param>
    /// <param name="cancellationToken">Ends the computation within a fraction of a second.</param>
    internal static void Derive(
        LuksHash hash, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, int iterations, Span<byte> key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        KeyDerivationEvents.Log.Begun(salt, iterations);
#if NET
        if (hash.Algorithm == HashAlgorithmName.MD5)
        {
            HmacPbkdf2.Derive(hash, password, salt, iterations, key, cancellationToken); // The platform's knows no MD5.
            return;
        }

        if (!cancellationToken.CanBeCanceled || iterations < MinThreadIterations)
        {
            Rfc2898DeriveBytes.Pbkdf2(password, salt, key, iterations, hash.Algorithm);
            return;
        }

        if (iterations <= MaxAbandonedIterations)
        {
            DeriveOnThread(hash, password, salt, iterations, key, cancellationToken);
            return;
        }
#endif
        HmacPbkdf2.Derive(hash, password, salt, iterations, key, cancellationToken);
    }

#if NET
    private static void DeriveOnThread(
        LuksHash hash, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, int iterations, Span<byte> key, CancellationToken cancellationToken)
    {
        // Copies, because an abandoned thread outlives the caller's buffers.
        SecretBuffer passwordCopy = SecretBuffer.CopyOf(password);
        byte[] saltCopy = salt.ToArray();
        var derived = new SecretBuffer(key.Length);
        Task task = Task.Factory.StartNew(
            () =>
            {
                using (passwordCopy)
                {
                    Rfc2898DeriveBytes.Pbkdf2(passwordCopy.Span, saltCopy, derived.Span, iterations, hash.Algorithm);
                }
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        try
        {
            task.WaitAsync(cancellationToken).GetAwaiter().GetResult();
            derived.Span.CopyTo(key);
        }
        finally
        {
            task.ContinueWith(
                static (_, buffer) => ((SecretBuffer)buffer!).Dispose(),
                derived,
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }
    }
#endif
}
