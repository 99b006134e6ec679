namespace Qcow2.Engine.Codecs;

/// <summary>Chooses an encoder of raw deflate (RFC 1951).</summary>
internal static class DeflateEncoder
{
    /// <summary>
    /// Distances in QCOW2 images are at most 4096 bytes, as in what QEMU writes. Its readers take clusters in one piece and accept any distance;
    /// readers that inflate piece by piece with a window of QEMU's size don't.
    /// </summary>
    internal const int WindowBits = 12;

    /// <summary>The largest window there is: what zlib streams have.</summary>
    internal const int MaxWindowBits = 15;

    /// <summary>The fastest encoder for a level of 1 to 9.</summary>
    /// <param name="level">How hard it tries.</param>
    /// <param name="windowBits">How far back a match may be: this power of two, in bytes.</param>
    internal static ClusterEncoder Create(int level, int windowBits = WindowBits)
    {
#if NET
        if (level <= HighestNativeLevel && NativeZlib.IsAvailable)
        {
            return new NativeDeflateEncoder(level, windowBits);
        }
#endif
        return new ManagedDeflateEncoder(level, windowBits);
    }

#if NET
    // Since .NET 9 its zlib is zlib-ng, twice as fast as ours up to level 6, but not beyond, where ours makes smaller clusters in the
    // same time. The classic zlib of .NET 8 is slower than ours at every level that makes clusters as small.
    private static readonly int HighestNativeLevel = Environment.Version.Major >= 9 ? 6 : 0;
#endif
}
