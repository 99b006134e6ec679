using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>A stretch of a disk, and where its data lies. Safe from many threads.</summary>
internal abstract class VmdkExtent : IDisposable
{
    /// <summary>Length, in bytes.</summary>
    internal abstract long Length { get; }

    /// <summary>The file with the data; null where there is none.</summary>
    internal abstract BlockStorage? File { get; }

    /// <summary>Whether each byte has its place in the file, holes included.</summary>
    internal virtual bool HasPlaceForAll => false;

    /// <summary>What is damaged without being in the way; null if nothing is.</summary>
    internal virtual string? Problem => null;

    /// <summary>What lies at an offset.</summary>
    /// <param name="offset">Inside the extent, in bytes.</param>
    /// <param name="length">Most bytes to look at; inside the extent.</param>
    /// <exception cref="Qcow2Exception">The tables are damaged there.</exception>
    internal abstract VmdkStretch Find(long offset, long length);

    /// <summary>Reads what <see cref="Find"/> found to be data.</summary>
    /// <param name="stretch">What was found.</param>
    /// <param name="offset">Where it was found.</param>
    /// <param name="buffer">As long as the stretch.</param>
    internal abstract void Read(VmdkStretch stretch, long offset, Span<byte> buffer);

    /// <summary>The first offset after what cannot be read where an offset cannot.</summary>
    internal abstract long DamageEnd(long offset);

    /// <inheritdoc/>
    public void Dispose() => File?.Dispose();
}
