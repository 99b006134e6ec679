namespace Qcow2.Engine.Disks.Encryption;

/// <summary>Makes the 16-byte initialisation vectors of consecutive sectors. Safe to use from many threads at once.</summary>
internal abstract class IvGenerator : IDisposable
{
    internal const int IvSize = 16;

    /// <summary>Writes one vector after the other.</summary>
    /// <param name="firstSector">Number of the first sector.</param>
    /// <param name="buffer">Where to write; an array because ciphers on netstandard2.0 take nothing else.</param>
    /// <param name="offset">Where the first vector goes.</param>
    /// <param name="sectors">How many vectors.</param>
    internal abstract void Fill(ulong firstSector, byte[] buffer, int offset, int sectors);

    /// <inheritdoc/>
    public abstract void Dispose();
}
