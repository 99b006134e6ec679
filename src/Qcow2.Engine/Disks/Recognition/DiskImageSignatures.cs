using static Qcow2.Engine.FileNature;

namespace Qcow2.Engine.Disks.Recognition;

/// <summary>Images of disks in other formats.</summary>
internal static class DiskImageSignatures
{
    private const string Convert = "This format is not read here: turn it into a qcow2 or raw image first, with the program that made it or with qemu-img convert.";

    private const string ReadOnly = "Images of this format are not changed in place: convert it to a qcow2 image first.";

    private const string CutOff = "It may have been cut off, and then it is read on your word that it is a VHD image; or the guest of a raw disk wrote that.";

    private const string Assemble = "It is a part of a disk: name the descriptor instead, the small text file beside it that says what belongs together.";

    private const string Described = "It names the files with the data (.hds): take the one that is of the type Compressed, or one of the type Plain with -SourceFormat Raw. A disk with snapshots or in several pieces has to be merged in Parallels first.";

    private const string TakenAsText = "Nothing can mend it: get the image again. PowerShell's > and Out-File write text, as FTP in ASCII mode does.";

    internal static IReadOnlyList<FileSignature> All { get; } =
    [
        new("qcow1", DiskImage, "a QCOW image of version 1", ReadOnly, c => c.Has(0, [0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 1])),
        new("qcow2-as-text", DiskImage, "a qcow2 image that some program took for text and damaged", TakenAsText, TextContent.IsMangledQcow2),
        new("vhdx", DiskImage, "a VHDX image (Hyper-V)", ReadOnly, c => c.Has(0, "vhdxfile"u8)),
        new("vhd", DiskImage, "a VHD image (Virtual PC, Hyper-V, Azure)", ReadOnly, c => c.HasAtEnd(512, "conectix"u8) || c.HasAtEnd(511, "conectix"u8)),
        new("vhd-start", DiskImage, "the start of a VHD image without the footer that ends one", CutOff, c => c.Has(0, "conectix"u8)),
        new("vmdk", DiskImage, "a VMDK image (VMware)", ReadOnly, c => c.Has(0, "KDMV"u8)),
        new("vmdk-cowd", DiskImage, "an extent of a VMDK image (VMware ESX, COWD)", Assemble, c => c.Has(0, [0x43, 0x4f, 0x57, 0x44, 1, 0, 0, 0])),
        new("vmdk-sesparse", DiskImage, "an extent of a VMDK image (VMware ESX, seSparse)", Assemble, c => c.U64(0) == 0xcafebabe),
        new("vmdk-descriptor", DiskImage, "the descriptor of a VMDK image (VMware), a text that says where the data lies", ReadOnly, TextContent.IsVmdkDescriptor),
        new("vdi", DiskImage, "a VDI image (VirtualBox)", ReadOnly, c => c.U32(64) == 0xbeda107f),
        new("qed", DiskImage, "a QED image (QEMU)", ReadOnly, c => c.Has(0, "QED\0"u8)),
        new("parallels", DiskImage, "a Parallels image", ReadOnly, c => c.Has(0, "WithoutFreeSpace"u8) || c.Has(0, "WithouFreSpacExt"u8)),
        new("parallels-descriptor", DiskImage, "the description of a Parallels disk (DiskDescriptor.xml)", Described, TextContent.IsParallelsDescriptor),
        new("bochs", DiskImage, "a Bochs image", Convert, c => c.Has(0, "Bochs Virtual HD Image"u8)),
        new("cloop", DiskImage, "a compressed loop image (cloop)", Convert, c => c.Has(0, "#!/bin/sh\n#V2.0 Format\n"u8) || c.Has(0, "#!/bin/sh\n#V1.0 Format\n"u8)),
        new("dmg", DiskImage, "an Apple disk image (DMG)", Convert, c => c.HasAtEnd(512, [0x6b, 0x6f, 0x6c, 0x79, 0, 0, 0, 4, 0, 0, 2, 0])),
        new("sparseimage", DiskImage, "an Apple sparse disk image", "Convert it on macOS first: hdiutil convert, format UDTO.", c => c.Has(0, [0x73, 0x70, 0x72, 0x73, 0, 0, 0, 3])),
        new("ewf", DiskImage, "an EnCase image (EWF)", "Export the raw disk first, with ewfexport.", c => c.Has(0, [0x45, 0x56, 0x46, 9, 0x0d, 0x0a, 0xff, 0]) || c.Has(0, [0x45, 0x56, 0x46, 0x32, 0x0d, 0x0a, 0x81, 0])),
        new("aff", DiskImage, "an AFF image", "Export the raw disk first, with affconvert.", c => c.Has(0, "AFF10\r\n\0"u8)),
        new("android-sparse", DiskImage, "an Android sparse image", "Turn it into a raw disk first, with simg2img.", c => c.Has(0, [0x3a, 0xff, 0x26, 0xed, 1, 0])),
        new("asif", DiskImage, "an Apple sparse image (ASIF)", "Convert it on macOS first: diskutil image create from, format RAW.", c => c.Has(0, [0x73, 0x68, 0x64, 0x77, 0, 0, 0, 1])),
        new("partclone", DiskImage, "an image of Partclone (Clonezilla)", "Restore it to a raw disk first, with partclone.restore.", c => c.Has(0, "partclone-image\0"u8)),
        new("cd-raw", DiskImage, "the raw sectors of a CD (BIN and CUE)", "They hold more than the data: turn it into an ISO first, with bchunk.", c => c.Has(0, CdSync) && c.Has(2352, CdSync)),
        new("wim", DiskImage, "a Windows image (WIM)", "It holds files and no disk: apply it to a disk, with Expand-WindowsImage or wimlib.", c => c.Has(0, "MSWIM\0\0\0"u8) || c.Has(0, "WLPWM\0\0\0"u8)),
    ];

    /// <summary>What each sector of a CD begins with.</summary>
    private static ReadOnlySpan<byte> CdSync => [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0];
}
