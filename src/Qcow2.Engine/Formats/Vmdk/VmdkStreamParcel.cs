using System.Buffers;
using Qcow2.Engine.Disks.Copying;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>A piece of a disk on its way into a stream, with the grains that it becomes, as they lie in the file.</summary>
/// <param name="capacity">Bytes of a piece.</param>
/// <param name="outputCapacity">Bytes that it can become.</param>
internal sealed class VmdkStreamParcel(int capacity, int outputCapacity) : CopyParcel(capacity)
{
    private readonly byte[] _output = ArrayPool<byte>.Shared.Rent(outputCapacity);

    /// <summary>What is written: room for the table of the grains before, and the grains.</summary>
    internal Span<byte> Output => _output.AsSpan(0, outputCapacity);

    /// <summary>The grains: the number on the disk, and the sector in the output.</summary>
    internal List<(long Grain, long Sector)> Grains { get; } = [];

    /// <summary>Where in the output begins what is written.</summary>
    internal int Start { get; set; }

    /// <summary>Where in the output the grains end.</summary>
    internal int End { get; set; }

    /// <summary>Where it goes in the file.</summary>
    internal long Place { get; set; }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        ArrayPool<byte>.Shared.Return(_output, clearArray: true);
        base.Dispose(disposing);
    }
}
