using Qcow2.Engine.Disks.References;

namespace Qcow2.Engine.Tests.Disks.References;

/// <summary>Names in headers, with the path that each leads to and whether each policy opens it; for both worlds, on any host.</summary>
public sealed class ReferenceNameTests
{
    /// <summary>The image lies in the folder that references are confined to.</summary>
    private const string WindowsImage = @"C:\pool\vm\top.qcow2";
    private const string UnixImage = "/pool/vm/top.qcow2";
    private const string ShareImage = @"\\nas\vms\pool\top.qcow2";

    /// <summary>Image, name, where it leads with Follow (null: refused), and whether Confine lets it, too.</summary>
    private static readonly (string Image, string Name, string? Path, bool Inside)[] Table =
    [
        // Windows: files of this machine
        (WindowsImage, @"base.qcow2", @"C:\pool\vm\base.qcow2", true),
        (WindowsImage, @"file:base.qcow2", @"C:\pool\vm\base.qcow2", true),
        (WindowsImage, @"FILE:base.qcow2", @"C:\pool\vm\base.qcow2", true),
        (WindowsImage, @".\base.qcow2", @"C:\pool\vm\base.qcow2", true),
        (WindowsImage, @"./sub/./base.qcow2", @"C:\pool\vm\sub\base.qcow2", true),
        (WindowsImage, @"sub\\base.qcow2", @"C:\pool\vm\sub\base.qcow2", true),
        (WindowsImage, @"..\base.qcow2", @"C:\pool\base.qcow2", true),
        (WindowsImage, @"../other/base.qcow2", @"C:\pool\other\base.qcow2", true),
        (WindowsImage, @"..\..\base.qcow2", @"C:\base.qcow2", false),
        (WindowsImage, @"..\..\..\..\base.qcow2", @"C:\base.qcow2", false),
        (WindowsImage, @"..\..\pool\base.qcow2", @"C:\pool\base.qcow2", true),
        (WindowsImage, @"..\..\pool2\base.qcow2", @"C:\pool2\base.qcow2", false),
        (WindowsImage, @"C:\pool\base.qcow2", @"C:\pool\base.qcow2", true),
        (WindowsImage, @"c:/POOL/base.qcow2", @"c:\POOL\base.qcow2", true),
        (WindowsImage, @"file:C:\pool\base.qcow2", @"C:\pool\base.qcow2", true),
        (WindowsImage, @"D:\base.qcow2", @"D:\base.qcow2", false),
        (WindowsImage, @"C:\pool\..\secret.raw", @"C:\secret.raw", false),
        (WindowsImage, @"\base.qcow2", @"C:\base.qcow2", false),
        (WindowsImage, @"/pool/base.qcow2", @"C:\pool\base.qcow2", true),
        (WindowsImage, @"\Device\Mup\server\share\b", @"C:\Device\Mup\server\share\b", false),
        (WindowsImage, @"a b.qcow2", @"C:\pool\vm\a b.qcow2", true),
        (WindowsImage, @".hidden", @"C:\pool\vm\.hidden", true),
        (WindowsImage, @"nullable.qcow2", @"C:\pool\vm\nullable.qcow2", true),
        (WindowsImage, @"com10.qcow2", @"C:\pool\vm\com10.qcow2", true),
        (WindowsImage, @"junction\base.qcow2", @"C:\pool\vm\junction\base.qcow2", false),
        (WindowsImage, @"junction\missing.qcow2", @"C:\pool\vm\junction\missing.qcow2", false),
        (WindowsImage, @"inner\base.qcow2", @"C:\pool\vm\inner\base.qcow2", true),
        (WindowsImage, @"missing.qcow2", @"C:\pool\vm\missing.qcow2", true),

        // Windows: other machines
        (WindowsImage, @"\\server\share\b", null, false),
        (WindowsImage, @"//server/share/b", null, false),
        (WindowsImage, @"/\server\share\b", null, false),
        (WindowsImage, @"\/server/share/b", null, false),
        (WindowsImage, @"\\server/share/b", null, false),
        (WindowsImage, @"///server/share/b", null, false),
        (WindowsImage, @"\\\server\share\b", null, false),
        (WindowsImage, @"file:\\server\share\b", null, false),
        (WindowsImage, @"file:/\server\share\b", null, false),
        (WindowsImage, @"file://server/share/b", null, false),
        (WindowsImage, @"file:///C:/pool/base.qcow2", null, false),
        (WindowsImage, @"\\server@SSL\DavWWWRoot\b", null, false),
        (WindowsImage, @"\\10.0.0.1\c$\b", null, false),
        (WindowsImage, @"\\localhost\c$\pool\base.qcow2", null, false),
        (WindowsImage, @"\\server", null, false),
        (WindowsImage, @"\\server\share", null, false),
        (WindowsImage, @"\\", null, false),
        (WindowsImage, @"//", null, false),

        // Windows: devices, and other ways to spell a path
        (WindowsImage, @"\\?\C:\pool\base.qcow2", null, false),
        (WindowsImage, @"//?/C:/pool/base.qcow2", null, false),
        (WindowsImage, @"/\?\UNC\server\share\b", null, false),
        (WindowsImage, @"\\?\UNC\server\share\b", null, false),
        (WindowsImage, @"\\?\GLOBALROOT\Device\Mup\server\share\b", null, false),
        (WindowsImage, @"\\?\Volume{11111111-1111-1111-1111-111111111111}\b", null, false),
        (WindowsImage, @"\\.\pipe\x", null, false),
        (WindowsImage, @"/\.\pipe\x", null, false),
        (WindowsImage, @"//./PhysicalDrive0", null, false),
        (WindowsImage, @"\\.\C:", null, false),
        (WindowsImage, @"\\.", null, false),
        (WindowsImage, @"\\?", null, false),
        (WindowsImage, @"\??\UNC\server\share\b", null, false),
        (WindowsImage, @"\??\C:\pool\base.qcow2", null, false),
        (WindowsImage, @"/??/C:/pool/base.qcow2", null, false),
        (WindowsImage, @"file:\??\C:\b", null, false),
        (WindowsImage, @"nul", null, false),
        (WindowsImage, @"NUL.qcow2", null, false),
        (WindowsImage, @"C:\pool\nul", null, false),
        (WindowsImage, @"com1", null, false),
        (WindowsImage, @"sub\COM9.img", null, false),
        (WindowsImage, "com\u00b9", null, false),
        (WindowsImage, @"lpt1", null, false),
        (WindowsImage, @"con .txt", null, false),
        (WindowsImage, @"aux\base.qcow2", null, false),
        (WindowsImage, @"prn", null, false),
        (WindowsImage, @"CONIN$", null, false),
        (WindowsImage, @"conout$", null, false),

        // Windows: what is not what it seems
        (WindowsImage, @"C:dr.qcow2", null, false),
        (WindowsImage, @"c:", null, false),
        (WindowsImage, @"D:..\base.qcow2", null, false),
        (WindowsImage, @"base.qcow2.", null, false),
        (WindowsImage, @"base.qcow2 ", null, false),
        (WindowsImage, @"sub \base.qcow2", null, false),
        (WindowsImage, @"...\base.qcow2", null, false),
        (WindowsImage, @".. \base.qcow2", null, false),
        (WindowsImage, @" \server\share", null, false),
        (WindowsImage, @"disk.qcow2:stream", null, false),
        (WindowsImage, @".\disk.qcow2:stream", null, false),
        (WindowsImage, @"C:\pool\disk.qcow2::$DATA", null, false),
        (WindowsImage, @"base?.qcow2", null, false),
        (WindowsImage, @"*.qcow2", null, false),
        (WindowsImage, "base\n.qcow2", null, false),
        (WindowsImage, "base\0.qcow2", null, false),
        (WindowsImage, @"", null, false),
        (WindowsImage, @"file:", null, false),
        (WindowsImage, @"1:\base.qcow2", null, false),
        (WindowsImage, @"nbd:localhost:10809", null, false),
        (WindowsImage, @"nbd://localhost/b", null, false),
        (WindowsImage, @"http://server/b", null, false),
        (WindowsImage, @"json:{""driver"":""file""}", null, false),
        (WindowsImage, @"file:nbd:localhost:10809", null, false),

        // Windows, of an image on a share
        (ShareImage, @"base.qcow2", @"\\nas\vms\pool\base.qcow2", true),
        (ShareImage, @"..\base.qcow2", @"\\nas\vms\base.qcow2", false),
        (ShareImage, @"..\..\..\other\base.qcow2", @"\\nas\vms\other\base.qcow2", false),
        (ShareImage, @"\pool\base.qcow2", @"\\nas\vms\pool\base.qcow2", true),
        (ShareImage, @"\\NAS\vms\pool\base.qcow2", @"\\NAS\vms\pool\base.qcow2", true),
        (ShareImage, @"//nas/other/base.qcow2", @"\\nas\other\base.qcow2", false),
        (ShareImage, @"\\nas2\vms\base.qcow2", null, false),
        (ShareImage, @"\\nas\pipe\spoolss", null, false),
        (ShareImage, @"\\nas\IPC$\x", null, false),
        (ShareImage, @"\\nas\..\x", null, false),
        (ShareImage, @"\\nas", null, false),
        (ShareImage, @"C:\base.qcow2", @"C:\base.qcow2", false),
        (@"\\?\UNC\nas\vms\pool\top.qcow2", @"\\nas\vms\x", @"\\nas\vms\x", false),
        (@"\\?\C:\pool\vm\top.qcow2", @"..\base.qcow2", @"\\?\C:\pool\base.qcow2", false),
        (@"\\.\PhysicalDrive1", @"base.qcow2", null, false),
        (@"\\.\PhysicalDrive1", @"C:\base.qcow2", @"C:\base.qcow2", false),

        // Linux and macOS
        (UnixImage, "base.qcow2", "/pool/vm/base.qcow2", true),
        (UnixImage, "file:base.qcow2", "/pool/vm/base.qcow2", true),
        (UnixImage, "../base.qcow2", "/pool/base.qcow2", true),
        (UnixImage, "../../base.qcow2", "/base.qcow2", false),
        (UnixImage, "../../pool2/base.qcow2", "/pool2/base.qcow2", false),
        (UnixImage, "/pool/base.qcow2", "/pool/base.qcow2", true),
        (UnixImage, "/POOL/base.qcow2", "/POOL/base.qcow2", false),
        (UnixImage, "/etc/shadow", "/etc/shadow", false),
        (UnixImage, "file:///etc/shadow", "/etc/shadow", false),
        (UnixImage, "//server/share/b", "/server/share/b", false),
        (UnixImage, @"\\server\share\b", @"/pool/vm/\\server\share\b", true),
        (UnixImage, @"a\b:c", null, false),
        (UnixImage, "./a:b", "/pool/vm/a:b", true),
        (UnixImage, "nul", "/pool/vm/nul", true),
        (UnixImage, "base.qcow2.", "/pool/vm/base.qcow2.", true),
        (UnixImage, "link/base.qcow2", "/pool/vm/link/base.qcow2", false),
        (UnixImage, "link/missing.qcow2", "/pool/vm/link/missing.qcow2", false),
        (UnixImage, "missing.qcow2", "/pool/vm/missing.qcow2", true),
        (UnixImage, "C:/base.qcow2", null, false),
        (UnixImage, "nbd:localhost:10809", null, false),
        (UnixImage, "file:nbd:localhost:10809", null, false),
        (UnixImage, "fat:/etc", null, false),
        (UnixImage, "json:{}", null, false),
        (UnixImage, "a\0b", null, false),
        (UnixImage, "", null, false),
    ];

    public static TheoryData<string, string> Names
    {
        get
        {
            var names = new TheoryData<string, string>();
            foreach ((string image, string name, _, _) in Table.Where(row => !OperatingSystem.IsWindows() || !row.Image.StartsWith('/')))
            {
                names.Add(image, name);
            }

            return names;
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Follow(string image, string name)
    {
        (_, _, string? path, _) = Row(image, name);
        Assert.Equal(path, Allow(image, name, ReferencePolicy.Follow, out string? refusal));
        Assert.Equal(path is null, refusal is not null);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Forbid(string image, string name)
    {
        Assert.Null(Allow(image, name, ReferencePolicy.Forbid, out string? refusal));
        Assert.Contains("forbidden", refusal, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Confine(string image, string name)
    {
        (_, _, string? path, bool inside) = Row(image, name);
        string folder = image.StartsWith('/') ? "/pool" : image.StartsWith(@"\\nas", StringComparison.Ordinal) ? @"\\nas\vms\pool" : @"C:\pool";
        string? allowed = Allow(image, name, new ReferencePolicy.ConfinePolicy(folder), out string? refusal);
        Assert.Equal(inside, allowed is not null);
        Assert.Equal(path is not null && !inside, refusal?.Contains("outside of the folder", StringComparison.Ordinal) ?? false);
    }

    [Fact]
    public void Another_machine_is_not_even_asked_whether_the_file_exists()
        => Assert.Null(ImageReference.TryAllow(
            @"/\server\share\b", WindowsImage, new ReferencePolicy.ConfinePolicy(@"C:\pool"), PathRules.Windows,
            path => throw new InvalidOperationException(path), out _));

    private static (string Image, string Name, string? Path, bool Inside) Row(string image, string name)
        => Table.Single(row => row.Image == image && row.Name == name);

    private static string? Allow(string image, string name, ReferencePolicy policy, out string? refusal)
        => ImageReference.TryAllow(name, image, policy, image.StartsWith('/') ? PathRules.Unix : PathRules.Windows, Canonical, out refusal);

    /// <summary>A host on which all exists that is not called missing, and on which some folders are links.</summary>
    private static string? Canonical(string path)
        => path.Contains("missing", StringComparison.Ordinal) ? null
            : path.Replace(@"C:\pool\vm\junction", @"D:\secret", StringComparison.Ordinal)
                .Replace(@"C:\pool\vm\inner", @"C:\pool\elsewhere", StringComparison.Ordinal)
                .Replace("/pool/vm/link", "/secret", StringComparison.Ordinal);
}
