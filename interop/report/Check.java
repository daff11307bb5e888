import java.io.FileInputStream;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;

/** Says whether PDF files are PDF/A-2a and PDF/UA-1, and each rule that one breaks. */
public class Check {
    private static final PDFAFlavour[] STANDARDS = {PDFAFlavour.PDFA_2_A, PDFAFlavour.PDFUA_1};

    public static void main(String[] files) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        boolean holds = files.length > 0;
        for (String file : files) {
            for (PDFAFlavour standard : STANDARDS) {
                holds &= check(file, standard);
            }
        }
        System.exit(holds ? 0 : 1);
    }

    private static boolean check(String file, PDFAFlavour standard) throws Exception {
        try (FileInputStream bytes = new FileInputStream(file);
                PDFAParser parser = Foundries.defaultInstance().createParser(bytes, standard)) {
            ValidationResult result = Foundries.defaultInstance().createValidator(standard, false).validate(parser);
            String verdict = result.isCompliant() ? "holds" : "BROKEN";
            System.out.printf("%-7s %s: %s, %d checks%n", verdict, file, standard, result.getTotalAssertions());
            for (TestAssertion assertion : result.getTestAssertions()) {
                if (assertion.getStatus() == TestAssertion.Status.FAILED) {
                    System.out.printf("        %s: %s at %s%n", assertion.getRuleId(), assertion.getMessage(), assertion.getLocation());
                }
            }
            return result.isCompliant();
        }
    }
}
