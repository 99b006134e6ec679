using System.Buffers.Binary;
using System.Security.Cryptography;
using Qcow2.Engine.Disks;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>
/// PBKDF2 in terms of HMAC. netstandard2.0 offers PBKDF2 for SHA-1 only; on .NET this one serves where the platform's own
/// would run too long without a way to stop it.
/// </summary>
internal static class HmacPbkdf2
{
    private const int IterationsBetweenLooks = 1024;

    /// <summary>Derives a key; the parameters are those of <see cref="Pbkdf2.Derive"/>.</summary>
    internal static void Derive(
        LuksHash hash, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, int iterations, Span<byte> key, CancellationToken cancellationToken)
    {
        int blocks = (key.Length + hash.DigestLength - 1) / hash.DigestLength;
        using SecretBuffer passwordCopy = SecretBuffer.CopyOf(password);
        using var derived = new SecretBuffer(blocks * hash.DigestLength);
        byte[] saltCopy = salt.ToArray();

        // The blocks of a long key have nothing to do with each other, so they need not wait for each other.
        ParallelOptions options = new() { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount };
        Parallel.For(0, blocks, options, block =>
        {
            Span<byte> target = derived.Span.Slice(block * hash.DigestLength, hash.DigestLength);
            DeriveBlock(hash, passwordCopy.Array, saltCopy, (uint)block + 1, iterations, target, cancellationToken);
        });
        derived.Span.Slice(0, key.Length).CopyTo(key);
    }

    private static void DeriveBlock(
        LuksHash hash, byte[] password, byte[] salt, uint number, int iterations, Span<byte> target, CancellationToken cancellationToken)
    {
        using var hmac = IncrementalHash.CreateHMAC(hash.Algorithm, password);
        Span<byte> bigEndianNumber = stackalloc byte[sizeof(uint)];
        Span<byte> chained = stackalloc byte[hash.DigestLength];

        BinaryPrimitives.WriteUInt32BigEndian(bigEndianNumber, number);
        hmac.AppendData(salt);
        hmac.AppendData(bigEndianNumber);
        hmac.GetHashAndReset(chained);
        chained.CopyTo(target);
        for (int i = 1; i < iterations; i++)
        {
            if (i % IterationsBetweenLooks == 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
            }

            hmac.AppendData(chained);
            hmac.GetHashAndReset(chained);
            for (int j = 0; j < chained.Length; j++)
            {
                target[j] ^= chained[j];
            }
        }

        CryptographicOperations.ZeroMemory(chained);
    }
}
