using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Qcow2.Engine.Disks.Encryption;

/// <summary>
/// AES on independent 16-byte blocks, many blocks a call: what the modes that disks use are built from. Safe to use from
/// many threads at once.
/// </summary>
/// <remarks>
/// Transforms are pooled, as one serves one thread and making one expands the key. The one-shot methods of
/// <see cref="Aes"/> in .NET do that at every call, and .NET Framework has none.
/// </remarks>
internal sealed class AesEcb : IDisposable
{
    internal const int BlockSize = 16;

    private readonly Aes _aes;
    private readonly ConcurrentQueue<ICryptoTransform> _encryptors = new();
    private readonly ConcurrentQueue<ICryptoTransform> _decryptors = new();
    private readonly object _gate = new();
    private bool _disposed;

    /// <summary>Makes the cipher of a key.</summary>
    /// <param name="key">16, 24 or 32 bytes, copied.</param>
    internal AesEcb(ReadOnlySpan<byte> key)
    {
        using SecretBuffer copy = SecretBuffer.CopyOf(key);
        _aes = Aes.Create();
        _aes.Mode = CipherMode.ECB;
        _aes.Padding = PaddingMode.None;
        _aes.Key = copy.Array;
    }

    internal void Encrypt(byte[] buffer, int offset, int count) => Transform(_encryptors, encrypt: true, buffer, offset, count);

    internal void Decrypt(byte[] buffer, int offset, int count) => Transform(_decryptors, encrypt: false, buffer, offset, count);

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _aes.Dispose();
        }

        Drain(_encryptors);
        Drain(_decryptors);
    }

    private void Transform(ConcurrentQueue<ICryptoTransform> pool, bool encrypt, byte[] buffer, int offset, int count)
    {
        ICryptoTransform transform = Rent(pool, encrypt);
        transform.TransformBlock(buffer, offset, count, buffer, offset);
        pool.Enqueue(transform);
        if (Volatile.Read(ref _disposed))
        {
            Drain(pool);
        }
    }

    private ICryptoTransform Rent(ConcurrentQueue<ICryptoTransform> pool, bool encrypt)
    {
        if (pool.TryDequeue(out ICryptoTransform? transform))
        {
            return transform;
        }

        // The lock keeps Dispose from taking the key away meanwhile.
        lock (_gate)
        {
            return _disposed ? throw new ObjectDisposedException(nameof(SectorCipher))
                : encrypt ? _aes.CreateEncryptor()
                : _aes.CreateDecryptor();
        }
    }

    private static void Drain(ConcurrentQueue<ICryptoTransform> pool)
    {
        while (pool.TryDequeue(out ICryptoTransform? transform))
        {
            transform.Dispose();
        }
    }
}
