using System.Buffers.Binary;
using System.Security.Cryptography;
using Qcow2.Engine.Disks;
using Qcow2.Engine.Disks.Encryption;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>Spreads a key over many stripes, so that losing any one of them destroys it, and puts it together again.</summary>
/// <remarks>"LUKS On-Disk Format Specification", version 1.2.3, section 2.4.</remarks>
internal static class AntiForensicSplit
{
    /// <summary>Splits a key into stripes.</summary>
    /// <param name="key">The key.</param>
    /// <param name="hash">The hash that diffuses one stripe into the next.</param>
    /// <param name="stripes">Receives the stripes, each as long as the key.</param>
    internal static void Split(ReadOnlySpan<byte> key, LuksHash hash, Span<byte> stripes)
    {
        using var digest = IncrementalHash.CreateHash(hash.Algorithm);
        using var diffused = new SecretBuffer(key.Length);
        Span<byte> last = stripes.Slice(stripes.Length - key.Length);
        SecureRandom.Fill(stripes.Slice(0, stripes.Length - key.Length));
        for (int start = 0; start < stripes.Length - key.Length; start += key.Length)
        {
            SectorSpan.Xor(diffused.Span, stripes.Slice(start, key.Length), diffused.Span);
            Diffuse(diffused.Span, digest, hash.DigestLength);
        }

        // Random stripes but the last, which is what makes them all come to the key.
        SectorSpan.Xor(diffused.Span, key, last);
    }

    /// <summary>Merges the stripes into the key.</summary>
    /// <param name="stripes">The stripes, each as long as the key.</param>
    /// <param name="hash">The hash that diffuses one stripe into the next.</param>
    /// <param name="key">Receives the key.</param>
    internal static void Merge(ReadOnlySpan<byte> stripes, LuksHash hash, Span<byte> key)
    {
        using var digest = IncrementalHash.CreateHash(hash.Algorithm);
        key.Clear();
        while (stripes.Length > key.Length)
        {
            SectorSpan.Xor(key, stripes.Slice(0, key.Length), key);
            Diffuse(key, digest, hash.DigestLength);
            stripes = stripes.Slice(key.Length);
        }

        SectorSpan.Xor(key, stripes, key);
    }

    // Replaces each digest-sized piece by the hash of its number and itself; the last piece may be shorter.
    private static void Diffuse(Span<byte> key, IncrementalHash digest, int digestLength)
    {
        Span<byte> number = stackalloc byte[sizeof(uint)];
        Span<byte> hashed = stackalloc byte[LuksHash.MaxDigestLength];
        uint index = 0;
        while (!key.IsEmpty)
        {
            Span<byte> piece = key.Slice(0, Math.Min(digestLength, key.Length));
            BinaryPrimitives.WriteUInt32BigEndian(number, index++);
            digest.AppendData(number);
            digest.AppendData(piece);
            digest.GetHashAndReset(hashed);
            hashed.Slice(0, piece.Length).CopyTo(piece);
            key = key.Slice(piece.Length);
        }

        CryptographicOperations.ZeroMemory(hashed);
    }
}
