using System.Security.Cryptography;
using Qcow2.Engine.Disks;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>Random bytes for keys, from the host's generator.</summary>
internal static class SecureRandom
{
    /// <summary>Fills a buffer.</summary>
    internal static void Fill(Span<byte> buffer)
    {
#if NETSTANDARD2_0
        using var generator = RandomNumberGenerator.Create();
        using var bytes = new SecretBuffer(buffer.Length);
        generator.GetBytes(bytes.Array);
        bytes.Span.CopyTo(buffer);
#else
        RandomNumberGenerator.Fill(buffer);
#endif
    }
}
