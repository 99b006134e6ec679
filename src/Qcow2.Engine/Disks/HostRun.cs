using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks;

/// <summary>A stretch of a disk that lies in a file as it is, byte for byte.</summary>
/// <param name="File">The file.</param>
/// <param name="Offset">Where in the file it begins, in bytes.</param>
/// <param name="Length">Bytes.</param>
internal readonly record struct HostRun(BlockStorage File, long Offset, long Length)
{
    /// <summary>A part of it.</summary>
    internal HostRun Slice(long start, long length) => new(File, Offset + start, length);
}
