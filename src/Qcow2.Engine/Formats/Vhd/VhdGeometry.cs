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
    private const long MaxCylinders = 65535;

    /// <summary>The geometry of a disk (spec: "CHS Calculation"). It reaches no more bytes than the disk has, and of a large disk fewer.</summary>
    /// <param name="size">Size of the disk, in bytes.</param>
    internal static VhdGeometry Of(long size)
    {
        long sectors = Math.Min(size / VhdLimits.SectorSize, MaxCylinders * 16 * 255);
        long heads;
        long perTrack;
        if (sectors >= MaxCylinders * 16 * 63)
        {
            (heads, perTrack) = (16, 255);
        }
        else
        {
            perTrack = 17;
            heads = Math.Max(4, ((sectors / perTrack) + 1023) / 1024);
            if (sectors / perTrack >= heads * 1024 || heads > 16)
            {
                (heads, perTrack) = (16, 31);
            }

            if (sectors / perTrack >= heads * 1024)
            {
                (heads, perTrack) = (16, 63);
            }
        }

        return new VhdGeometry((ushort)(sectors / perTrack / heads), (byte)heads, (byte)perTrack);
    }

    /// <summary>Bytes that the geometry reaches.</summary>
    internal long Size => (long)Cylinders * Heads * SectorsPerTrack * VhdLimits.SectorSize;

    /// <summary>As it is usually written: <c>301/4/17</c>.</summary>
    public override string ToString() => FormattableString.Invariant($"{Cylinders}/{Heads}/{SectorsPerTrack}");
}
