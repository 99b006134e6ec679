namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>What a stretch of an extent is.</summary>
internal enum VmdkStretchKind
{
    /// <summary>Data in the extent's file.</summary>
    Data,

    /// <summary>A compressed grain in the extent's file.</summary>
    Compressed,

    /// <summary>Zeros, whatever the parent has.</summary>
    Zero,

    /// <summary>The parent's, or zeros.</summary>
    Parent,
}

/// <summary>A stretch of an extent that is all of one kind.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Length">Bytes.</param>
/// <param name="FileOffset">Where it starts in the extent's file; for a compressed grain, where that starts.</param>
internal readonly record struct VmdkStretch(VmdkStretchKind Kind, long Length, long FileOffset);
