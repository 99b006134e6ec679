namespace Qcow2.Engine.Formats.Vhd;

/// <summary>What a BIOS is told of the disk (spec: "Disk Geometry").</summary>
/// <remarks>
/// The disk is never cut to it, as QEMU cuts what some programs wrote: those rounded down and kept the exact size beside it. It is shown
/// because it tells what such a reader sees.
/// </remarks>
/// <param name="Cylinders">Cylinders.</param>
/// <param name="Heads">Heads, that is tracks in a cylinder.</param>
/// <param name="SectorsPerTrack">Sectors in a track.</param>
internal readonly record struct VhdGeometry(ushort Cylinders, byte Heads, byte SectorsPerTrack)
{
    /// <summary>Bytes that the geometry reaches.</summary>
    internal long Size => (long)Cylinders * Heads * SectorsPerTrack * VhdLimits.SectorSize;

    /// <summary>As it is usually written: <c>301/4/17</c>.</summary>
    public override string ToString() => FormattableString.Invariant($"{Cylinders}/{Heads}/{SectorsPerTrack}");
}
