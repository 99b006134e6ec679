using static Qcow2.Engine.FileNature;

namespace Qcow2.Engine.Disks.Recognition;

/// <summary>What people get in place of a disk: nothing, an error page, a pointer, a wrong file.</summary>
internal static class OtherSignatures
{
    private const string DownloadAgain = "A download may have failed: read what it says, and download the image again.";

    private const string WrongFile = "No disk is in it: look for the right file.";

    internal static IReadOnlyList<FileSignature> All { get; } =
    [
        new("empty", Empty, "an empty file", "A download or copy may have failed: get the image again.", c => c.Length == 0),
        new("lfs-pointer", Text, "a pointer of Git LFS to the real file", "Get the file itself first, with git lfs pull.", TextContent.IsLfsPointer),
        new("html", Text, "a web page (HTML)", DownloadAgain, TextContent.IsHtml),
        new("xml", Text, "a text in XML", DownloadAgain, TextContent.IsXml),
        new("json", Text, "a text in JSON", DownloadAgain, TextContent.IsJson),
        new("pdf", Other, "a PDF document", WrongFile, c => c.Has(0, "%PDF-"u8)),
        new("elf", Other, "a program (ELF)", WrongFile, c => c.Has(0, [0x7f, 0x45, 0x4c, 0x46]) && c.At(4) is 1 or 2 && c.At(5) is 1 or 2),
        new("pe", Other, "a program for Windows (EXE)", WrongFile, IsWindowsProgram),
        new("torrent", Other, "a torrent", "Download what it leads to, with a BitTorrent client.", c => c.Has(0, "d8:announce"u8)),
        new("text", Text, "a text", DownloadAgain, TextContent.IsPlain),
    ];

    private static bool IsWindowsProgram(FileContent c)
    {
        uint header = c.U32(0x3c);
        return c.Has(0, "MZ"u8) && header is >= 0x40 and < 0x1000 && c.Has((int)header, "PE\0\0"u8);
    }
}
